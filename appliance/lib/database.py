"""Which database: SQLite in the state directory, or what ``POSTROAD_DATABASE_URL`` says."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

SQLITE_BUSY_TIMEOUT_S = 20
"""Longer than any transaction of ours; a writer waits instead of failing."""


def from_url(url: str, default_file: Path) -> dict[str, Any]:
    """Give Django's DATABASES entry for ``postgresql://…`` or ``sqlite:///path``; empty: SQLite."""
    if not url:
        return sqlite(default_file)
    try:
        parts = urlsplit(url)
        port = str(parts.port or "")
    except ValueError:
        # what is wrong with it may be a part of the password
        raise ImproperlyConfigured("POSTROAD_DATABASE_URL is no URL") from None
    if parts.scheme == "sqlite":
        return sqlite(Path(unquote(parts.path)))
    if parts.scheme not in ("postgres", "postgresql"):
        # the URL may hold a password, so only its scheme is shown
        raise ImproperlyConfigured(
            f"POSTROAD_DATABASE_URL: {parts.scheme!r} is neither postgresql nor sqlite"
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": port,
        "OPTIONS": dict(parse_qsl(parts.query)),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


def sqlite(file: Path) -> dict[str, Any]:
    """Give an SQLite entry in which several processes can read while one writes.

    WAL lets readers go on beside a writer; IMMEDIATE takes the write lock when a transaction
    begins, where waiting for it is possible (later SQLite refuses at once).
    """
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(file),
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": SQLITE_BUSY_TIMEOUT_S,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
