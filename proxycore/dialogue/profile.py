"""What is the same for every session of a server block, computed once.

Replies that hold settings, limits and timers: a login builds none of them again. Commands in here
are shared by all sessions; nobody changes a command.
"""

import typing
from collections.abc import Mapping
from dataclasses import dataclass, replace

from proxycore.contract.authhttp import ProxyFacts, TlsFacts
from proxycore.contract.names import primary_name
from proxycore.contract.protocol import Protocol
from proxycore.contract.snapshot import AuthHttp, Server
from proxycore.dialogue import announce, replies
from proxycore.dialogue.commands import Command, SendFront, SetTimer
from proxycore.dialogue.sasl import Start, accepted


class Facts(typing.Protocol):
    """What a session wants to know of its connection. The driver passes itself."""

    client_ip: str
    """Address without port; ``unix:`` for a client on a unix socket."""
    client_port: int
    client_host: str
    """SMTP: confirmed reverse name, ``[UNAVAILABLE]`` or ``[TEMPUNAVAIL]``."""

    @property
    def local_ip(self) -> str:
        """Our own address of the connection."""

    @property
    def local_port(self) -> int:
        """Our own port of the connection; 0 for a unix socket."""

    @property
    def proxy(self) -> ProxyFacts | None:
        """What the PROXY header said, if there was one with addresses."""

    @property
    def tls(self) -> TlsFacts | None:
        """What the TLS handshake with the client agreed on, if there was one."""

    @property
    def session(self) -> str:
        """Name of the session, unique in the fleet."""

    @property
    def challenge(self) -> bytes:
        """A number nobody can foresee, a dot and the time: ``42707877.1795342490``.

        Read once, by a session whose client wants a challenge.
        """


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
    salted_greeting: bytes
    """POP3 with a challenge: the greeting up to it. Empty: ``opening`` is all."""
    greeting_delay: SetTimer | None
    timer: SetTimer
    """``timeout``."""
    max_errors: int
    max_commands: int
    client_buffer_bytes: int
    proxy_buffer_bytes: int
    proxy_pass_error_message: bool
    internal_error: bytes
    capabilities: bytes
    """The whole answer to CAPABILITY, CAPA or EHLO."""
    announced: frozenset[bytes]
    """IMAP: the capabilities announced that have nothing to do with logging in."""
    methods: bytes
    """POP3: the whole answer to AUTH."""
    helo: bytes
    """SMTP: the whole answer to HELO."""
    imap_id: bytes
    """IMAP: the untagged answer to ID."""
    proxy_issue_imap_id: bool
    imap_literalauth: bool
    proxy_issue_pop3_xoip: bool
    connect_timer: SetTimer
    """``proxy_ctimeout``, or ``timeout``."""
    mechanisms: Mapping[bytes, Start]
    """SASL mechanisms that are accepted, which is more than are announced."""
    offers_starttls: bool
    requires_tls: bool
    """Nobody is logged in here: only STARTTLS leads on."""
    inside_tls: "Profile | None"
    """The block as it is inside TLS, where that is another profile."""
    takes_apop: bool
    takes_none: bool
    """SMTP: MAIL and RCPT are taken from clients that did not log in."""
    sends_client_host: bool
    sends_local_ip: bool
    """A header of the operator's has our address of the connection in it."""
    sends_session: bool
    """A header of the operator's has the session's name in it."""
    xclient: bool
    xclient_legacy: bool
    proxy_smtp_auth: bool
    proxy_ssl: str
    """TLS to the mail server, where the auth service says nothing of it."""

    @property
    def secured(self) -> "Profile":
        """The block as it is inside TLS."""
        return self.inside_tls or self


def build(server: Server, hostname: str) -> Profile:
    """Compute the profile of a server block. ``hostname``: used where it has no name."""
    secured = _build(server, hostname)
    starttls = server.front_tls.starttls
    if starttls == "off":
        return secured
    capabilities = announce.capabilities(server, secured.name, starttls)
    in_clear = replace(
        secured,
        inside_tls=secured,
        offers_starttls=True,
        capabilities=capabilities,
        announced=announce.lasting(capabilities.split()[2:]),
    )
    if starttls == "on":
        return in_clear
    invalid = replies.INVALID[secured.protocol]
    return replace(in_clear, requires_tls=True, mechanisms={}, methods=invalid, takes_apop=False)


def _build(server: Server, hostname: str) -> Profile:
    """Compute the profile inside TLS, or where there is none."""
    protocol = server.protocol
    name = (primary_name(server.server_names) or hostname).encode()
    timer = SetTimer(server.timeout_ms)
    delay_ms = server.smtp_greeting_delay_ms if protocol is Protocol.SMTP else 0
    methods = announce.configured(server)
    greeting = announce.greeting(server, name)
    is_salted = protocol is Protocol.POP3 and not {"apop", "cram-md5"}.isdisjoint(methods)
    capabilities = announce.capabilities(server, name, "off")
    return Profile(
        protocol=protocol,
        name=name,
        auth_service=_auth_service(server.auth_http),
        opening=(SendFront(greeting + b"\r\n"), timer),
        salted_greeting=greeting if is_salted else b"",
        greeting_delay=SetTimer(delay_ms) if delay_ms else None,
        timer=timer,
        max_errors=server.max_errors,
        max_commands=server.max_commands,
        client_buffer_bytes=_CLIENT_BUFFER[protocol](server),
        proxy_buffer_bytes=server.proxy_buffer_bytes,
        proxy_pass_error_message=server.proxy_pass_error_message,
        internal_error=replies.INTERNAL[protocol],
        capabilities=capabilities,
        announced=announce.lasting(capabilities.split()[2:]),
        methods=announce.pop3_methods(server),
        helo=b"250 %b\r\n" % name,
        imap_id=announce.imap_id(server),
        proxy_issue_imap_id=server.proxy_issue_imap_id,
        imap_literalauth=server.imap_literalauth,
        proxy_issue_pop3_xoip=server.proxy_issue_pop3_xoip,
        connect_timer=SetTimer(server.proxy_ctimeout_ms) if server.proxy_ctimeout_ms else timer,
        mechanisms=accepted(methods),
        offers_starttls=False,
        requires_tls=False,
        inside_tls=None,
        takes_apop="apop" in methods,
        takes_none="none" in methods,
        sends_client_host=protocol is Protocol.SMTP,
        sends_local_ip=_has_variable(server.auth_http, "$server_addr"),
        sends_session=_has_variable(server.auth_http, "$session"),
        xclient=server.xclient,
        xclient_legacy=server.xclient_legacy,
        proxy_smtp_auth=server.proxy_smtp_auth,
        proxy_ssl=server.back_tls.proxy_ssl,
    )


def _auth_service(auth_http: AuthHttp) -> str:
    if auth_http.host.startswith("unix:"):
        return auth_http.host
    host = f"[{auth_http.host}]" if ":" in auth_http.host else auth_http.host
    return f"{host}:{auth_http.port}"


def _has_variable(auth_http: AuthHttp, variable: str) -> bool:
    return any(variable in header.value.reveal() for header in auth_http.headers)


_CLIENT_BUFFER: typing.Final[dict[Protocol, typing.Callable[[Server], int]]] = {
    Protocol.IMAP: lambda server: server.imap_client_buffer_bytes,
    Protocol.POP3: lambda server: server.pop3_client_buffer_bytes,
    Protocol.SMTP: lambda server: server.smtp_client_buffer_bytes,
}
