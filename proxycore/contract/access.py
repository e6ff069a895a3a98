"""The access log's record: one JSON object in one line per session, written when it has ended.

``net.access`` writes it without building one of these, because it is on the path of every session;
a test decodes its lines into this type, and ``docs/access-log.md`` is generated from it. The same
lines go to an appliance for its history, with one more for each refused login (ADR-0031).
"""

from dataclasses import dataclass
from typing import Final

from proxycore.contract.fields import setting

MOST_LOGIN_BYTES: Final = 512
"""Of a login, in octets: a client may send megabytes, which a log has no use for."""

MOST_FAULT_LETTERS: Final = 512
"""Of a fault; a mail server's certificate may have a thousand names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessProxy:
    """What a PROXY header said (``proxy``)."""

    peer: str = setting("Address the connection came from: the proxy in front of us.")
    peer_port: int = setting("Its port.")
    client: str = setting("Client address as the header told it, believed or not.")
    client_port: int = setting("Client port as the header told it.")
    server: str = setting("Address the client had connected to, as the header told it.")
    server_port: int = setting("Port the client had connected to, as the header told it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessTls:
    """What a TLS handshake agreed on (``front_tls``, ``back_tls``)."""

    protocol: str = setting("Version, for instance `TLSv1.3`.")
    cipher: str = setting("Cipher suite, by OpenSSL's name.")
    sni: str = setting("Name the client of the connection asked for; empty when none.")
    alpn: str = setting("Agreed application protocol; empty when none.")
    resumed: bool = setting("Whether an earlier session was taken up again.")
    verify: str = setting(
        "What became of the peer's certificate: `SUCCESS`, `FAILED:reason`, `NONE`; empty when none"
        " was asked for."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPhases:
    """How long each phase took, in milliseconds (``ms``); null for one that was not reached.

    A phase in which the session ended lasts until then.
    """

    tls: int | None = setting("From accepting the client to the end of its TLS handshake.")
    credentials: int | None = setting("From accepting the client to its last submission.")
    auth: int | None = setting("From the last question about a login to the verdict.")
    connect: int | None = setting("From the verdict to the mail server's first octets.")
    login: int | None = setting("From there to the end of the login at the mail server.")
    relay: int | None = setting("From there to the end of the session.")
    total: int = setting("From accepting the client to the end of the session.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRecord:
    """One session that has ended. Every key is always there, in this order."""

    time: str = setting("When the client was accepted: UTC, ISO 8601, milliseconds.")
    session: str = setting("Name of the session, unique in the fleet.")
    server: str = setting("Name of the server block.")
    protocol: str = setting("`imap`, `pop3` or `smtp`.")
    listen: str = setting("Socket the client connected to.")
    client: str = setting(
        "Client address; of a trusted PROXY header's client. `unix:` has no port."
    )
    client_port: int = setting("Client port.")
    proxy: AccessProxy | None = setting("What a PROXY header said; null without one.")
    login: str = setting(
        "Login as last known, the auth service's if it gave one; octets that are no UTF-8 and"
        f" control characters as `\\xNN`, cut after {MOST_LOGIN_BYTES} octets. Empty: none came."
    )
    submitted: str = setting(
        "Login as the client sent it, when the auth service gave another; empty when it did not."
    )
    auth_session: str = setting("Name the auth service gave the session (`Auth-Session`).")
    method: str = setting("Method of the last submission, as `Auth-Method` names it; or empty.")
    attempts: int = setting("Questions about a login, asked or decided from the cache.")
    cached: bool = setting("Whether the last one was decided from the cache.")
    backend: str = setting("Mail server, address and port; empty when none was connected to.")
    front_tls: AccessTls | None = setting("TLS with the client; null without.")
    back_tls: AccessTls | None = setting("TLS with the mail server; null without.")
    bytes_to_front: int = setting("Octets relayed to the client.")
    bytes_to_back: int = setting("Octets relayed to the mail server.")
    ms: AccessPhases = setting("How long each phase took.")
    reason: str = setting("Why the session ended: see [reasons.md](reasons.md).")
    fault: str = setting(
        "What the error log says of it: the last message of level `error` or graver about this"
        " session before login, or why TLS with the client came to nothing; cut after"
        f" {MOST_FAULT_LETTERS} characters. Empty: none."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedLogin:
    """One submission that the auth service refused. Is in no access log, only in the history."""

    time: str = setting("When it was refused: UTC, ISO 8601, milliseconds.")
    session: str = setting("Name of the session.")
    server: str = setting("Name of the server block.")
    protocol: str = setting("`imap`, `pop3` or `smtp`.")
    listen: str = setting("Socket the client connected to.")
    client: str = setting("Client address.")
    client_port: int = setting("Client port.")
    login: str = setting("Login as the client sent it, written as in the access log.")
    method: str = setting("Method of the submission, as `Auth-Method` names it.")
    attempt: int = setting("Number of the question in its session, from 1.")
    cached: bool = setting("Whether it was decided from the cache.")
    tls: str = setting("TLS version with the client; empty in clear.")
    text: str = setting(
        f"What the client was told; cut after {MOST_FAULT_LETTERS} characters, without controls."
    )
