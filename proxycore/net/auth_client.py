"""Ask an auth_http service over HTTP, on the reactor.

``keepalive`` 0 asks as nginx does: HTTP/1.0 and one connection each, closed at the blank line.
Otherwise HTTP/1.1 connections are pooled, the last used first; those above ``keepalive`` that a
burst of logins leaves are kept for the next burst, ``SURPLUS_S`` long. A service may have several
endpoints (backups, and every address of a name): the healthy ones are asked in their order, and one
that cannot be reached, is silent or says that it is ill has the next one asked. One deadline covers
all of it. GET with these headers has no effect but the counting of attempts, so it may be repeated.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from proxycore.contract.authhttp import AuthFault, AuthRequest, render_request_headers
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthBackup, AuthHttp
from proxycore.contract.tls import BackTls
from proxycore.net.auth_connection import Connection
from proxycore.net.auth_endpoint import Endpoint, Place
from proxycore.net.auth_exchange import Deadlines, Done, Exchange
from proxycore.net.auth_headers import OwnHeaders
from proxycore.net.context import Context
from proxycore.net.sockets import Address, shown_address
from proxycore.net.timers import Timer
from proxycore.policy.breaker import in_order

SURPLUS_S: Final = 1.0
"""How long connections above ``keepalive`` are kept: closing and opening one costs a login more
than asking over it, and bursts come in rows."""

MOST_CONNECTIONS: Final = 256
"""Connections of one worker to one service; more questions wait, their deadline running. A storm
of logins must not become a storm of connections at the service that has to end it."""


class AuthClient:
    """One auth service as this worker asks it."""

    __slots__ = (
        "_addresses",
        "_endpoints",
        "_headers",
        "_keepalive",
        "_listed",
        "_trimming",
        "_waiting",
        "away_until",
        "context",
        "deadlines",
        "name",
        "open_count",
        "places",
        "proves_node",
        "retired",
    )

    def __init__(self, context: Context, auth_http: AuthHttp, node_token: Secret | None) -> None:
        """Has nowhere to ask before ``settle``. Raises tls.Refused for what HTTPS cannot use."""
        self.context = context
        self.name = shown_address(auth_http.host, auth_http.port)
        self.away_until = 0.0
        """Until then the service is taken to be out of reach (monotonic seconds)."""
        self.retired = False
        self.open_count = 0
        """Connections, idle ones included."""
        sends_token = auth_http.send_node_token and node_token is not None
        self.proves_node = sends_token
        self.places = _places(auth_http)
        self._addresses: list[list[Address]] = [[] for _ in self.places]
        self._endpoints: list[Endpoint] = []
        self._keepalive = auth_http.keepalive
        self.deadlines = Deadlines(context.reactor, auth_http.timeout_ms / 1000)
        self._trimming: Timer | None = None
        self._waiting: deque[Exchange] = deque()
        self._listed = auth_http.headers
        self._headers = OwnHeaders(auth_http.headers, node_token if sends_token else None)

    def renew_token(self, node_token: Secret) -> None:
        """Prove ourselves with another node token from now on."""
        if self.proves_node:
            self._headers = OwnHeaders(self._listed, node_token)

    # --- where ---

    @property
    def addresses(self) -> list[list[Address]]:
        """Where to connect to, by place; none while a name cannot be resolved."""
        return self._addresses

    def settle(self, place: int, addresses: Sequence[Address]) -> None:
        """Connect to these addresses of a place from now on."""
        self._addresses[place] = list(addresses)
        known = {(one.place, one.address): one for one in self._endpoints}
        wanted = [
            (self.places[i], address)
            for i, found in enumerate(self._addresses)
            for address in found
        ]
        self._endpoints = [known.get(key) or Endpoint(self, *key) for key in wanted]
        for endpoint in known.values():
            if endpoint not in self._endpoints:
                _close_idle(endpoint)

    # --- asking ---

    def ask(self, request: AuthRequest, done: Done) -> "Exchange | AuthFault":
        """Put a question.

        ``done`` is told the verdict later, unless the exchange is cancelled; a failure that is
        known at once is returned instead.
        """
        headers = self._headers
        own = headers.constant or headers.render(request)
        exchange = Exchange(self, render_request_headers(request) + own, done)
        if self.open_count >= MOST_CONNECTIONS and not self.idle_count:
            self._waiting.append(exchange)
        else:
            endpoints = self._endpoints
            fault = exchange.start(endpoints if len(endpoints) == 1 else self._order())
            if fault is not None:
                return fault
        self.deadlines.add(exchange)
        return exchange

    def _order(self) -> list[Endpoint]:
        endpoints = self._endpoints
        if len(endpoints) == 1:
            return endpoints
        now = self.context.reactor.now
        return [endpoints[i] for i in in_order([one.breaker for one in endpoints], now)]

    def _serve_waiting(self) -> None:
        """Have those who wait ask, as far as there are connections."""
        while self._waiting and (self.open_count < MOST_CONNECTIONS or self.idle_count):
            exchange = self._waiting.popleft()
            if exchange.is_wanted:
                fault = exchange.start(self._order())
                if fault is not None:
                    exchange.finish(fault)

    @property
    def waiting_count(self) -> int:
        """Questions that wait for a connection."""
        return len(self._waiting)

    # --- connections ---

    def rest(self, connection: Connection) -> bool:
        """Take a connection into the pool; tell whether it is wanted."""
        endpoint = connection.endpoint
        if self.retired or not self._keepalive or endpoint not in self._endpoints:
            return False
        endpoint.idle.append(connection)
        if self._waiting:
            self._serve_waiting()
        elif len(endpoint.idle) > self._keepalive and self._trimming is None:
            self._trimming = self.context.reactor.call_later(SURPLUS_S, self._trim)
        return True

    def _trim(self) -> None:
        """Close what is idle above ``keepalive``, those that were used least recently."""
        self._trimming = None
        for endpoint in self._endpoints:
            for connection in endpoint.idle[: max(0, len(endpoint.idle) - self._keepalive)]:
                connection.close()

    def gone(self, connection: Connection) -> None:
        """A connection has been closed."""
        self.open_count -= 1
        idle = connection.endpoint.idle
        if connection in idle:
            idle.remove(connection)
        if self._waiting:
            self._serve_waiting()

    @property
    def keeps(self) -> bool:
        """Connections are kept."""
        return self._keepalive > 0 and not self.retired

    @property
    def idle_count(self) -> int:
        """Connections in the pools."""
        return sum(len(endpoint.idle) for endpoint in self._endpoints)

    def retire(self) -> None:
        """No new session asks here: keep nothing. Exchanges under way come to their end."""
        self.retired = True
        if self._trimming is not None:
            self._trimming.cancel()
        for endpoint in self._endpoints:
            _close_idle(endpoint)


def _close_idle(endpoint: Endpoint) -> None:
    while endpoint.idle:
        endpoint.idle[-1].close()


def _places(auth_http: AuthHttp) -> list[Place]:
    """Give the places of a service, the preferred one first."""
    keep = auth_http.keepalive > 0
    ca = auth_http.ssl_trusted_certificate
    sources: list[AuthHttp | AuthBackup] = [auth_http, *auth_http.backups]
    tls = None
    if any(source.ssl for source in sources):
        # OpenSSL and what calls it are in memory only where somebody speaks TLS
        from proxycore.net.tls.back_context import BackContext

        policy = BackTls(proxy_ssl="implicit", proxy_ssl_trusted_certificate=ca)
        tls = BackContext(policy)
    return [
        Place(one.host, one.port, one.uri, tls if one.ssl else None, keep=keep) for one in sources
    ]
