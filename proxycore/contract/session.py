"""What is told of a session, by a worker to the supervisor and on to the appliance."""

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """How far a session is that has not logged in."""

    PROXY_HEADER = "proxy_header"
    """Its PROXY header has not come."""
    CLIENT_NAME = "client_name"
    """The name of its address is looked up."""
    QUEUED = "queued"
    """Its TLS handshake waits for its turn."""
    HANDSHAKE = "handshake"
    DELAYING = "delaying"
    """SMTP: the greeting is held back."""
    IDENTIFYING = "identifying"
    """The client has not submitted credentials, or others are awaited."""
    AUTHORISING = "authorising"
    REFUSING = "refusing"
    """The reply to a refused login is held back."""
    RETRYING = "retrying"
    """The auth service wants to be asked again later."""
    CONNECTING = "connecting"
    """The mail server has not greeted us."""
    LOGGING_IN = "logging_in"
    CLOSING = "closing"
    """It is over, but the client has not taken the last reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """One session that is logged in and being proxied.

    ``session`` is unique in the fleet: boot id of the worker, a dot, a counter.
    """

    session: str
    server: str
    protocol: str
    user: str
    """Login as shown to people: any byte that is not UTF-8 is written as ``\\xNN``."""
    client: str
    """Client address without port."""
    client_port: int
    listen: str
    backend: str
    """Address and port of the mail server."""
    started_at: float
    """Seconds since the epoch, UTC, when the client was accepted."""
    bytes_to_front: int = 0
    bytes_to_back: int = 0
    auth_session: str = ""
    """The auth service's name of the session (``Auth-Session``)."""
    tls: str = ""
    """Version of TLS with the client, such as TLSv1.3; empty: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionBytes:
    """New byte counts of a session that is already known."""

    session: str
    bytes_to_front: int
    bytes_to_back: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingSession:
    """One session that has not logged in, as asked for (``messages.Survey``)."""

    session: str
    """Name as in ``SessionRecord``, which it keeps when it logs in."""
    server: str
    protocol: str
    client: str
    client_port: int
    listen: str
    standing: Standing
    age_s: float
    """Since the client was accepted."""
    user: str = ""
    """Login as shown to people, once one was submitted."""
    backend: str = ""
    """Address and port of the mail server, once there is one."""
    tls: str = ""
    """Version of TLS with the client; empty: none, or not yet."""
