"""An auth desk that counts logins first, where a server block limits them (contract.throttle)."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Final

from proxycore.contract.authhttp import AuthFailed, AuthRequest, AuthThrottled, Verdict
from proxycore.contract.snapshot import Server
from proxycore.net.auth_client import AuthClient
from proxycore.net.auth_desk import Asking, AuthDesk
from proxycore.net.context import Context
from proxycore.net.ledger import Series
from proxycore.net.prelogin import key_of
from proxycore.policy.auth_cache import AuthCache
from proxycore.policy.login_rates import LoginRates
from proxycore.policy.trust import TrustedPeers

_NO_LOGIN: Final = "none"
"""Method of a question about an envelope."""


class ThrottledDesk(AuthDesk):
    """Decides for one server block, as long as there are not too many logins."""

    __slots__ = ("_exempt", "_limits", "_only_refused", "_rates", "_realm")

    def __init__(
        self,
        context: Context,
        server: Server,
        names: Series,
        client: AuthClient,
        cache: AuthCache,
        rates: LoginRates,
    ) -> None:
        super().__init__(context, server, names, client, cache)
        limits = server.login_limits
        self._limits = limits
        self._rates = rates
        self._only_refused = limits.mail_login_counts == "refused"
        self._exempt = TrustedPeers(limits.mail_whitelist_ip)
        # blocks with the same limits and the same service count together: who guesses at IMAP and
        # at POP3 guesses the same passwords
        self._realm = f"{client.name}{server.auth_http.uri}\0{limits}".encode()

    def ask(self, request: AuthRequest, answered: Callable[[Verdict], None]) -> Verdict | Asking:
        """Have a submission decided, unless there were too many."""
        address = request.client_ip
        if request.method == _NO_LOGIN or address in self._exempt:
            return super().ask(request, answered)
        names = self._names_of(request)
        now = self._context.reactor.now
        for name, most, ttl_s, directive in names:
            if self._only_refused:
                over = self._rates.seen(name, now) >= most
            else:
                over = self._rates.count(name, now, ttl_s) > most
            if over:
                return AuthThrottled(f"{directive} {most}")
        if not self._only_refused:
            return super().ask(request, answered)
        answer = super().ask(request, partial(self._answered, request, answered))
        if isinstance(answer, AuthFailed):
            self._note(request)
        return answer

    def _answered(
        self, request: AuthRequest, answered: Callable[[Verdict], None], verdict: Verdict
    ) -> None:
        if isinstance(verdict, AuthFailed):
            self._note(request)
        answered(verdict)

    def _note(self, request: AuthRequest) -> None:
        """Count a refusal: a wrong password once, however often it is tried."""
        digest = hashlib.blake2b(request.login + b"\0" + request.password, digest_size=16).digest()
        now = self._context.reactor.now
        for name, _, ttl_s, _ in self._names_of(request):
            if self._rates.count(name + digest, now, ttl_s) == 1:
                self._rates.count(name, now, ttl_s)

    def _names_of(self, request: AuthRequest) -> list[tuple[bytes, int, float, str]]:
        """Give what this login counts for: name, limit, seconds, directive."""
        limits, names = self._limits, []
        if limits.mail_login_ip_max:
            name = b"%b\0ip\0%b\0" % (self._realm, key_of(request.client_ip).encode())
            ttl_s = limits.mail_login_ip_ttl_ms / 1000
            names.append((name, limits.mail_login_ip_max, ttl_s, "mail_login_ip_max"))
        if limits.mail_login_user_max:
            name = b"%b\0user\0%b\0" % (self._realm, request.login.lower())
            ttl_s = limits.mail_login_user_ttl_ms / 1000
            names.append((name, limits.mail_login_user_max, ttl_s, "mail_login_user_max"))
        return names
