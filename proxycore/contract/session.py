"""What is told of a live session, by a worker to the supervisor and on to the appliance."""

from dataclasses import dataclass


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
