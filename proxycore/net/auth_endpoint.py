"""One address of an auth service: its connections, its health, the form of its requests."""

from typing import TYPE_CHECKING, Final

from proxycore.contract.authhttp import AuthFault, AuthOk, Verdict
from proxycore.contract.reasons import CloseReason
from proxycore.net.auth_connection import Connection, TlsConnection, unreachable
from proxycore.net.sockets import Address, shown_address, start_connect
from proxycore.policy.breaker import Breaker
from proxycore.wire.http import Head, render_start

if TYPE_CHECKING:
    from proxycore.net.auth_client import AuthClient
    from proxycore.net.auth_exchange import Exchange
    from proxycore.net.tls.back_context import BackContext

_MOST_KNOWN: Final = 64
_LONGEST_KNOWN_BYTES: Final = 1024


class Place:
    """A service as configured: a host that may have several addresses."""

    __slots__ = ("host", "name", "port", "start", "tls")

    def __init__(
        self, host: str, port: int, uri: str, tls: "BackContext | None", *, keep: bool
    ) -> None:
        self.host = host
        self.port = port
        self.name = shown_address(host, port)
        """As logs have it."""
        self.tls = tls
        self.start = render_start(uri, self._host_header(keep=keep), keep=keep)
        """Request line and ``Host``."""

    def _host_header(self, *, keep: bool) -> str:
        """Give ``Host``: nginx never sends a port; HTTP/1.1 wants it (RFC 9110 §7.2)."""
        if self.host.startswith("unix:"):
            return "localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 80 if self.tls is None else 443
        return f"{host}:{self.port}" if keep and self.port != usual else host


class Endpoint:
    """One address of a place."""

    __slots__ = ("address", "breaker", "client", "idle", "known", "place")

    def __init__(self, client: "AuthClient", place: Place, address: Address) -> None:
        self.client = client
        self.place = place
        self.address = address
        self.breaker = Breaker()
        self.idle: list[Connection] = []
        self.known: dict[bytes, tuple[Head, Verdict]] = {}
        """Replies read before, octet for octet: there are few, and reading one costs 7 µs."""

    def send(self, exchange: "Exchange") -> AuthFault | None:
        """Put a question over a kept connection or a new one; give the fault that shows at once."""
        while self.idle:
            if self.idle.pop().begin(exchange) is None:
                return None
        return self.send_fresh(exchange)

    def send_fresh(self, exchange: "Exchange") -> AuthFault | None:
        """Put a question on a new connection."""
        try:
            fd = start_connect(self.address)
        except OSError as problem:
            return unreachable(problem)
        if self.place.tls is None:
            return Connection(self, fd).begin(exchange)
        return TlsConnection(self, fd, self.place.tls).begin(exchange)

    def remember(self, reply: bytes, head: Head, verdict: Verdict) -> None:
        """Remember a reply that many logins get: all of one mail server, nobody's own."""
        if (
            isinstance(verdict, AuthOk)
            and verdict.login is None
            and verdict.password is None
            and not verdict.master
            and not verdict.session
            and len(reply) <= _LONGEST_KNOWN_BYTES
        ):
            if len(self.known) >= _MOST_KNOWN:
                self.known.clear()
            self.known[reply] = head, verdict

    def judged(self, verdict: Verdict) -> bool:
        """Note how the service is; tell whether this was an answer and not its absence."""
        away = isinstance(verdict, AuthFault) and verdict.reason in (
            CloseReason.AUTH_UNAVAILABLE,
            CloseReason.AUTH_TIMEOUT,
        )
        if away:
            self.breaker.failed(self.client.context.reactor.now)
        else:
            self.breaker.succeeded()
        return not away
