"""Server blocks: where the proxy listens and how it treats a session."""
