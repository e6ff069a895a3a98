"""What may be answered about a login."""

from dataclasses import dataclass, field
from typing import Final

from proxycore.contract.reasons import CloseReason

DEFAULT_FAILURE: Final = b"Invalid login or password"
"""Shown when the service refuses with an empty text (nginx lets SMTP in, in that case)."""


@dataclass(slots=True, kw_only=True)
class AuthOk:
    """Let the client in, to this mail server. What nginx does not know is marked *ours*."""

    server: str
    """IP address without brackets; ours: ``unix:/path`` or a host name."""
    port: int
    """0 with a unix socket."""
    login: bytes | None = None
    """Login towards the mail server; None keeps the client's."""
    password: bytes | None = None
    """Password towards the mail server; None keeps the client's."""
    master: bytes = b""
    """Ours: log in as this user, whose password is ``password``, on behalf of the login."""
    proxy_ssl: str | None = None
    """Ours: TLS towards the mail server, ``off``, ``on`` or ``starttls``; None: as configured."""
    proxy_ssl_name: str = ""
    """Ours: name the mail server's certificate must have. Empty: as configured."""
    proxy_auth: bool | None = None
    """Ours: authenticate at the SMTP server; None: as ``proxy_smtp_auth`` says."""
    cache_ttl_s: int | None = None
    """Ours: how long this answer may be used again; None: as configured."""
    session: str = ""
    """Ours: the service's name for the session, for logs and statistics."""

    def __repr__(self) -> str:
        return f"AuthOk({self.server}, {self.port}, login={self.login!r})"


@dataclass(slots=True, kw_only=True)
class AuthFailed:
    """Refuse; ``wait_s`` 0 also ends the session after the reply."""

    text: bytes
    wait_s: int = 0
    error_code: bytes = b""
    """SMTP: replaces ``535 5.7.0``."""
    login: bytes | None = None
    error_sasl: bytes = b""
    """Token mechanisms: what went wrong, in base64, told as a challenge before the refusal
    (RFC 7628 §3.2.2)."""
    session: str = ""
    """The service's name for the session, for logs."""


@dataclass(slots=True, kw_only=True)
class AuthWait:
    """Ask again, with the same data, after ``wait_s``."""

    wait_s: int
    login: bytes | None = None


@dataclass(slots=True)
class AuthFault:
    """There is no usable answer; the client gets the internal-error reply."""

    reason: CloseReason
    detail: str
    """For the log, in nginx's words where it has them."""
    service: str = field(default="", compare=False)
    """Who was asked last, for the log. Empty: the one that is configured first."""


@dataclass(slots=True)
class AuthThrottled:
    """Nobody was asked: there were too many logins lately (contract.throttle)."""

    limit: str
    """The limit that is reached, with its value, for the log."""


Verdict = AuthOk | AuthFailed | AuthWait | AuthFault | AuthThrottled
