"""Where a server block's logins are decided: the cache first, then the auth service.

Equal submissions at the same time ask once: the others wait for the first one's answer.
"""

from collections.abc import Callable
from typing import Final

from proxycore.contract.authhttp import (
    AuthFailed,
    AuthFault,
    AuthOk,
    AuthRequest,
    Verdict,
)
from proxycore.contract.reasons import CloseReason
from proxycore.contract.snapshot import Server
from proxycore.net.auth_client import AuthClient
from proxycore.net.auth_exchange import Exchange
from proxycore.net.context import Context
from proxycore.net.ledger import Series
from proxycore.policy.auth_cache import AuthCache, Freshness

AWAY_S: Final = 2.0
"""After a failure, how long those with a stale answer are let in without asking again first: a
service that swallows packets would otherwise cost each login the whole `auth_http_timeout`."""

_CACHED: Final = frozenset({"plain", "xoauth2", "oauthbearer"})
"""Methods whose submission is all that a verdict depends on. A digest answers one challenge, none
is about an envelope, and external about a certificate."""

REFUSED_S: Final = 1.0
"""How long a refusal is remembered, where good answers are: a client that repeats a wrong password
at once costs the service nothing, and who has just been let in waits no longer than this."""

_MOST_TTL_S: Final = 86_400

_FRESH: Final = Freshness.FRESH
_AWAY: Final = frozenset({CloseReason.AUTH_UNAVAILABLE, CloseReason.AUTH_TIMEOUT})


class AuthDesk:
    """Decides for one server block."""

    __slots__ = (
        "_client",
        "_context",
        "_flights",
        "_granted",
        "_names",
        "_scope",
        "_stale_s",
        "_ttl_s",
        "cache",
    )

    def __init__(
        self, context: Context, server: Server, names: Series, client: AuthClient, cache: AuthCache
    ) -> None:
        auth_http = server.auth_http
        self._context = context
        self._names = names
        self._client = client
        self.cache = cache
        self._ttl_s = auth_http.cache_ttl_ms / 1000
        self._stale_s = auth_http.cache_stale_ms / 1000
        self._granted = False
        """The service has said itself how long an answer is good."""
        self._flights: dict[bytes, Flight] = {}
        # what one service said is not worth anything at a block that asks another
        self._scope = f"{server.name}\0{client.name}\0{auth_http.uri}"

    def ask(self, request: AuthRequest, answered: Callable[[Verdict], None]) -> "Verdict | Asking":
        """Have a submission decided: at once, or by ``answered`` unless cancelled."""
        counts = self._context.ledger.counts
        if not (self._ttl_s or self._stale_s or self._granted) or request.method not in _CACHED:
            counts[self._names.auth_requests] += 1
            return self._depart(Flight(self, request, b"", None, answered))
        now = self._context.reactor.now
        key = self.cache.key_of(self._scope, request)
        stale = None
        found = self.cache.find(key, now)
        if found is not None:
            verdict, freshness = found
            if freshness is _FRESH:
                counts[self._names.cache_hits] += 1
                if isinstance(verdict, AuthFailed):
                    counts[self._names.login_failures] += 1
                return verdict
            if now < self._client.away_until:
                counts[self._names.cache_stale] += 1
                return verdict
            stale = verdict
        flight = self._flights.get(key)
        if flight is not None and flight.generation == self.cache.generation:
            counts[self._names.cache_hits] += 1
            return flight.board(answered)
        counts[self._names.auth_requests] += 1
        flight = self._flights[key] = Flight(self, request, key, stale, answered)
        return self._depart(flight)

    def _depart(self, flight: "Flight") -> "Verdict | Asking":
        begun = self._client.ask(flight.request, flight.on_verdict)
        if isinstance(begun, AuthFault):
            return self.settle(flight, begun)
        flight.exchange = begun
        return flight

    def settle(self, flight: "Flight", verdict: Verdict) -> Verdict:
        """Count and remember what the service said; give what the sessions are told."""
        if flight.key:
            self.over(flight)
        now = self._context.reactor.now
        current = flight.generation == self.cache.generation
        if isinstance(verdict, AuthOk):
            self._client.away_until = 0.0
            if current and (flight.key or verdict.cache_ttl_s is not None):
                self._keep(flight, verdict, now)
        elif isinstance(verdict, AuthFailed):
            self._context.ledger.counts[self._names.login_failures] += flight.aboard
            if flight.key:
                self.cache.drop(flight.key)
                if current and not verdict.session:
                    login = flight.request.login
                    self.cache.store(flight.key, login, verdict, now, ttl_s=REFUSED_S, stale_s=0.0)
        elif isinstance(verdict, AuthFault) and verdict.reason in _AWAY:
            if flight.stale is not None and current:
                self._use_stale(verdict, now)
                return flight.stale
            self._client.away_until = now + AWAY_S
        return verdict

    def _keep(self, flight: "Flight", verdict: AuthOk, now: float) -> None:
        """Remember a good answer, as long as the service says or else the configuration."""
        ttl_s, stale_s, key = self._ttl_s, self._stale_s, flight.key
        if verdict.cache_ttl_s is not None:
            # it says when it ends, and something else holds then: no bad times change that
            ttl_s, stale_s = float(min(verdict.cache_ttl_s, _MOST_TTL_S)), 0.0
            if ttl_s and not key and flight.request.method in _CACHED:
                self._granted = True
                key = self.cache.key_of(self._scope, flight.request)
        if key:
            login = flight.request.login
            self.cache.store(key, login, verdict, now, ttl_s=ttl_s, stale_s=stale_s)

    def _use_stale(self, fault: AuthFault, now: float) -> None:
        if self._client.away_until < now - AWAY_S:
            service = fault.service or self._client.name
            self._context.report(
                "warn",
                f"auth http server {service} {fault.detail}, using what it said before",
            )
        self._client.away_until = now + AWAY_S
        self._context.ledger.counts[self._names.cache_stale] += 1

    def over(self, flight: "Flight") -> None:
        """Nobody boards this flight any more."""
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]


class Asking:
    """A submission the auth service is thinking about."""

    __slots__ = ("answered",)

    answered: Callable[[Verdict], None] | None
    """Who waits for the verdict; None: nobody any more."""

    def tell(self, verdict: Verdict) -> None:
        """Give the verdict to who waits for it."""
        answered, self.answered = self.answered, None
        if answered is not None:
            answered(verdict)

    def cancel(self) -> None:
        """Wait no more."""
        self.answered = None


class Passenger(Asking):
    """A submission equal to one that the service is asked about already."""

    __slots__ = ("_flight",)

    def __init__(self, flight: "Flight", answered: Callable[[Verdict], None]) -> None:
        self._flight = flight
        self.answered = answered

    def cancel(self) -> None:
        """Wait no more."""
        self.answered = None
        self._flight.left()


class Flight(Asking):
    """One question to the service, asked for a session and for all who boarded later."""

    __slots__ = ("_desk", "_passengers", "exchange", "generation", "key", "request", "stale")

    def __init__(
        self,
        desk: AuthDesk,
        request: AuthRequest,
        key: bytes,
        stale: "AuthOk | AuthFailed | None",
        answered: Callable[[Verdict], None],
    ) -> None:
        self._desk = desk
        self._passengers: list[Passenger] | None = None
        self.answered = answered
        self.request = request
        self.key = key
        """Of the cache; empty when the answer is nobody else's."""
        self.stale = stale
        self.generation = desk.cache.generation
        self.exchange: Exchange | None = None

    @property
    def aboard(self) -> int:
        """How many wait."""
        waiting = (self, *self._passengers) if self._passengers else (self,)
        return sum(asking.answered is not None for asking in waiting)

    def board(self, answered: Callable[[Verdict], None]) -> Passenger:
        """Wait for the answer, too."""
        passenger = Passenger(self, answered)
        if self._passengers is None:
            self._passengers = []
        self._passengers.append(passenger)
        return passenger

    def on_verdict(self, verdict: Verdict) -> None:
        """Take the service's verdict."""
        self.exchange = None
        told = self._desk.settle(self, verdict)
        passengers, self._passengers = self._passengers, None
        self.tell(told)
        for passenger in passengers or ():
            passenger.tell(told)

    def cancel(self) -> None:
        """Wait no more; the passengers still do."""
        self.answered = None
        self.left()

    def left(self) -> None:
        """One does not wait any more; after the last the question is withdrawn."""
        if self.exchange is not None and not self.aboard:
            self._desk.over(self)
            self.exchange.cancel()
            self.exchange = None
