"""Where a server block's logins are decided: the cache first, then the auth service."""

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

_AWAY: Final = frozenset({CloseReason.AUTH_UNAVAILABLE, CloseReason.AUTH_TIMEOUT})


class AuthDesk:
    """Decides for one server block."""

    __slots__ = ("_cache", "_client", "_context", "_names", "_scope", "_stale_s", "_ttl_s")

    def __init__(
        self, context: Context, server: Server, names: Series, client: AuthClient, cache: AuthCache
    ) -> None:
        auth_http = server.auth_http
        self._context = context
        self._names = names
        self._client = client
        self._cache = cache
        self._ttl_s = auth_http.cache_ttl_ms / 1000
        self._stale_s = auth_http.cache_stale_ms / 1000
        # what one service said is not worth anything at a block that asks another
        self._scope = f"{server.name}\0{client.name}\0{auth_http.uri}"

    def ask(self, request: AuthRequest, answered: Callable[[Verdict], None]) -> "Verdict | Asking":
        """Have a submission decided: at once, or by ``answered`` unless cancelled."""
        key, stale = b"", None
        if (self._ttl_s or self._stale_s) and request.method in _CACHED:
            now = self._context.reactor.now
            key = self._cache.key_of(self._scope, request)
            found = self._cache.find(key, now)
            if found is not None:
                verdict, freshness = found
                if freshness is Freshness.FRESH:
                    self._context.ledger.counts[self._names.cache_hits] += 1
                    return verdict
                if now < self._client.away_until:
                    self._context.ledger.counts[self._names.cache_stale] += 1
                    return verdict
                stale = verdict
        self._context.ledger.counts[self._names.auth_requests] += 1
        asking = Asking(self, answered, key, stale, self._cache.generation)
        begun = self._client.ask(request, asking.on_verdict)
        if isinstance(begun, AuthFault):
            return self.settle(asking, begun)
        asking.exchange = begun
        return asking

    def settle(self, asking: "Asking", verdict: Verdict) -> Verdict:
        """Count and remember what the service said; give what the session is told."""
        now = self._context.reactor.now
        current = asking.generation == self._cache.generation
        if isinstance(verdict, AuthOk):
            self._client.away_until = 0.0
            if asking.key and current:
                self._cache.store(
                    asking.key, verdict, now, ttl_s=self._ttl_s, stale_s=self._stale_s
                )
        elif isinstance(verdict, AuthFailed):
            self._context.ledger.counts[self._names.login_failures] += 1
            if asking.key:
                self._cache.drop(asking.key)
        elif isinstance(verdict, AuthFault) and verdict.reason in _AWAY:
            if asking.stale is not None and current:
                self._use_stale(verdict, now)
                return asking.stale
            self._client.away_until = now + AWAY_S
        return verdict

    def _use_stale(self, fault: AuthFault, now: float) -> None:
        if self._client.away_until < now - AWAY_S:
            self._context.report(
                "warn",
                f"auth http server {self._client.name} {fault.detail}, using what it said before",
            )
        self._client.away_until = now + AWAY_S
        self._context.ledger.counts[self._names.cache_stale] += 1


class Asking:
    """A submission the auth service is thinking about."""

    __slots__ = ("_answered", "_desk", "exchange", "generation", "key", "stale")

    def __init__(
        self,
        desk: AuthDesk,
        answered: Callable[[Verdict], None],
        key: bytes,
        stale: AuthOk | None,
        generation: int,
    ) -> None:
        self._desk = desk
        self._answered = answered
        self.key = key
        self.stale = stale
        self.generation = generation
        self.exchange: Exchange | None = None

    def on_verdict(self, verdict: Verdict) -> None:
        """Take the service's verdict."""
        self.exchange = None
        self._answered(self._desk.settle(self, verdict))

    def cancel(self) -> None:
        """Nobody waits any more."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.cancel()
