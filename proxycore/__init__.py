"""The mail proxy daemon. Knows nothing of Django and has no database (ARCHITECTURE.md)."""

__version__ = "0.1.0"
