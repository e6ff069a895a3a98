"""Django's entry for the app."""

from django.apps import AppConfig


class AuthHttpConfig(AppConfig):
    """The built-in auth_http service: headers in, routing's decision, headers out."""

    name = "appliance.authhttp"
    label = "authhttp"
    verbose_name = "Auth service"
