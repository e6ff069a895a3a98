"""The built-in auth_http service: headers in, routing's decision, headers out."""
