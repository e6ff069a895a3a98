"""What is the same for every session of a server block, computed once.

Replies that hold settings, limits and timers: a login builds none of them again. Commands in here
are shared by all sessions; nobody changes a command.
"""

import typing
from collections.abc import Mapping
from dataclasses import dataclass

from proxycore.contract.protocol import Protocol
from proxycore.contract.snapshot import AuthHttp, Server
from proxycore.dialogue import replies
from proxycore.dialogue.commands import Command, SendFront, SetTimer
from proxycore.dialogue.sasl import ALWAYS, MECHANISMS, Start


class Facts(typing.Protocol):
    """What a session wants to know of its connection. The driver passes itself."""

    client_ip: str
    """Address without port; ``unix:`` for a client on a unix socket."""
    client_port: int
    local_ip: str
    local_port: int
    client_host: str
    """SMTP: confirmed reverse name, ``[UNAVAILABLE]`` or ``[TEMPUNAVAIL]``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A server block as a session sees it."""

    protocol: Protocol
    name: bytes
    """Ours: the first server name, or the host's."""
    auth_service: str
    """The auth service as log lines name it."""
    opening: tuple[Command, ...]
    """Greeting, and the timer for everything before login."""
    greeting_delay: SetTimer | None
    timer: SetTimer
    """``timeout``."""
    max_errors: int
    client_buffer_bytes: int
    proxy_buffer_bytes: int
    proxy_pass_error_message: bool
    internal_error: bytes
    capabilities: bytes
    """The whole answer to CAPABILITY, CAPA or EHLO."""
    methods: bytes
    """POP3: the whole answer to AUTH."""
    helo: bytes
    """SMTP: the whole answer to HELO."""
    mechanisms: Mapping[bytes, Start]
    """SASL mechanisms that are accepted, which is more than are announced."""
    sends_client_host: bool
    xclient: bool
    proxy_smtp_auth: bool


def build(server: Server, hostname: str) -> Profile:
    """Compute the profile of a server block. ``hostname``: used where it has no name."""
    protocol = server.protocol
    name = (server.server_names[0] if server.server_names else hostname).encode()
    timer = SetTimer(server.timeout_ms)
    delay_ms = server.smtp_greeting_delay_ms if protocol is Protocol.SMTP else 0
    return Profile(
        protocol=protocol,
        name=name,
        auth_service=_auth_service(server.auth_http),
        opening=(SendFront(_greeting(protocol, name)), timer),
        greeting_delay=SetTimer(delay_ms) if delay_ms else None,
        timer=timer,
        max_errors=server.max_errors,
        client_buffer_bytes=_CLIENT_BUFFER[protocol](server),
        proxy_buffer_bytes=server.proxy_buffer_bytes,
        proxy_pass_error_message=server.proxy_pass_error_message,
        internal_error=replies.INTERNAL[protocol],
        capabilities=_CAPABILITIES[protocol](server, name),
        methods=_pop3_methods(server),
        helo=b"250 %b\r\n" % name,
        mechanisms={verb: MECHANISMS[verb] for verb in ALWAYS},
        sends_client_host=protocol is Protocol.SMTP,
        xclient=server.xclient,
        proxy_smtp_auth=server.proxy_smtp_auth,
    )


def _auth_service(auth_http: AuthHttp) -> str:
    if auth_http.host.startswith("unix:"):
        return auth_http.host
    return f"{auth_http.host}:{auth_http.port}"


def _greeting(protocol: Protocol, name: bytes) -> bytes:
    if protocol is Protocol.SMTP:
        return b"220 %b ESMTP ready\r\n" % name
    return replies.IMAP_GREETING if protocol is Protocol.IMAP else replies.POP3_GREETING


_CLIENT_BUFFER: typing.Final[dict[Protocol, typing.Callable[[Server], int]]] = {
    Protocol.IMAP: lambda server: server.imap_client_buffer_bytes,
    Protocol.POP3: lambda server: server.pop3_client_buffer_bytes,
    Protocol.SMTP: lambda server: server.smtp_client_buffer_bytes,
}

_ORDER = ("plain", "login", "cram-md5", "external")
"""Order in which enabled mechanisms are announced, whatever the order in the configuration."""


def _announced(methods: tuple[str, ...]) -> list[bytes]:
    return [method.upper().encode() for method in _ORDER if method in methods]


def _pop3_announced(methods: tuple[str, ...]) -> list[bytes]:
    # POP3 has no `login` to configure: it comes with `plain`
    return _announced((*methods, "login") if "plain" in methods else methods)


def _imap_capabilities(server: Server, _name: bytes) -> bytes:
    words = [word.encode() for word in server.imap_capabilities]
    words += [b"AUTH=" + mechanism for mechanism in _announced(server.imap_auth)]
    return b" ".join([b"* CAPABILITY", *words]) + b"\r\n"


def _pop3_capabilities(server: Server, _name: bytes) -> bytes:
    lines = [b"+OK Capability list follows"]
    lines += [word.encode() for word in server.pop3_capabilities]
    lines += [b" ".join([b"SASL", *_pop3_announced(server.pop3_auth)]), b".", b""]
    return b"\r\n".join(lines)


def _pop3_methods(server: Server) -> bytes:
    lines = [b"+OK methods supported:", *_pop3_announced(server.pop3_auth), b".", b""]
    return b"\r\n".join(lines)


def _smtp_capabilities(server: Server, name: bytes) -> bytes:
    lines = [name, *(word.encode() for word in server.smtp_capabilities)]
    if mechanisms := _announced(server.smtp_auth):
        lines.append(b" ".join([b"AUTH", *mechanisms]))
    *first, last = lines
    return b"".join(b"250-%b\r\n" % line for line in first) + b"250 %b\r\n" % last


_CAPABILITIES: typing.Final[dict[Protocol, typing.Callable[[Server, bytes], bytes]]] = {
    Protocol.IMAP: _imap_capabilities,
    Protocol.POP3: _pop3_capabilities,
    Protocol.SMTP: _smtp_capabilities,
}
