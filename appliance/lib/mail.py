"""Which mail server takes the appliance's own mail: ``POSTROAD_EMAIL_URL``."""

from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TIMEOUT_S: Final = 15
"""For each step of a conversation with it."""

_NAME: Final = "POSTROAD_EMAIL_URL"
_PORTS: Final = {"starttls": 587, "implicit": 465, "none": 25}


def from_url(url: str) -> dict[str, Any]:
    """Give Django's settings for ``smtp://user:password@host:port?tls=…``; empty: no mail is sent.

    tls: ``starttls`` (verified, unless said otherwise), ``implicit``, or ``none``. ``smtps://`` is
    implicit too. Raises ImproperlyConfigured, without the password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # what is wrong with it may be a part of the password
        raise ImproperlyConfigured(f"{_NAME} is no URL") from None
    if url and (parts.scheme not in ("smtp", "smtps") or not parts.hostname):
        raise ImproperlyConfigured(f"{_NAME} must be smtp://host:port or smtps://host:port")
    usual = "implicit" if parts.scheme == "smtps" else "starttls"
    tls = dict(parse_qsl(parts.query)).get("tls", usual)
    if tls not in _PORTS or (parts.scheme == "smtps" and tls != "implicit"):
        raise ImproperlyConfigured(f"{_NAME}: tls is starttls, implicit or none")
    return {
        "EMAIL_HOST": parts.hostname or "",
        "EMAIL_PORT": port or _PORTS[tls],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": tls == "starttls",
        "EMAIL_USE_SSL": tls == "implicit",
        "EMAIL_TIMEOUT": TIMEOUT_S,
    }
