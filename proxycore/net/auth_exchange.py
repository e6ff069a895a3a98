"""One question to an auth service, from asking to the verdict: who is tried, for how long."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from proxycore.contract.authhttp import AuthFault, Verdict
from proxycore.contract.reasons import CloseReason
from proxycore.net.reactor import Reactor
from proxycore.net.timers import Timer

if TYPE_CHECKING:
    from proxycore.net.auth_client import AuthClient
    from proxycore.net.auth_connection import Connection
    from proxycore.net.auth_endpoint import Endpoint

Done = Callable[[Verdict], None]

TRY_S: Final = 5.0
"""How long an endpoint may be silent while there is another that has not been tried."""

TIMED_OUT: Final = AuthFault(CloseReason.AUTH_TIMEOUT, "timed out (110: Connection timed out)")


class Exchange:
    """One question and its answer."""

    __slots__ = (
        "_asked",
        "_client",
        "_done",
        "_patience",
        "_untried",
        "connection",
        "headers",
        "retried",
    )

    def __init__(self, client: "AuthClient", headers: bytes, done: Done) -> None:
        self._client = client
        self._done: Done | None = done
        self._asked: Endpoint | None = None
        """Who was asked last."""
        self._patience: Timer | None = None
        self._untried: Sequence[Endpoint] = ()
        self.headers = headers
        """All but the request line and ``Host``, which are the endpoint's."""
        self.retried = False
        self.connection: Connection | None = None

    @property
    def is_wanted(self) -> bool:
        """Somebody waits for the verdict."""
        return self._done is not None

    # --- who is tried ---

    def start(self, endpoints: "list[Endpoint]") -> AuthFault | None:
        """Ask the first that can be asked; give the last fault when none can."""
        if len(endpoints) == 1:
            problem = endpoints[0].send(self)
            if problem is not None:
                endpoints[0].judged(problem)
            return problem
        self._untried = endpoints
        return self._next(AuthFault(CloseReason.AUTH_UNAVAILABLE, "could not be resolved"))

    def _next(self, fault: AuthFault) -> AuthFault | None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        while self._untried:
            endpoint, *self._untried = self._untried
            self._asked = endpoint
            self.retried = False
            problem = endpoint.send(self)
            if problem is None:
                if self._untried:
                    later = self._client.context.reactor.call_later
                    self._patience = later(TRY_S, self._lose_patience)
                return None
            endpoint.judged(problem)
            fault = problem
        return self._named(fault)

    def _lose_patience(self) -> None:
        self._patience = None
        connection = self.connection
        if connection is not None:
            connection.endpoint.judged(TIMED_OUT)
            self._drop_connection()
        fault = self._next(TIMED_OUT)
        if fault is not None:
            self.finish(fault)

    def judged(self, endpoint: "Endpoint", verdict: Verdict) -> None:
        """Take an endpoint's verdict; the absence of one has the next endpoint asked."""
        if not isinstance(verdict, AuthFault):
            endpoint.breaker.succeeded()
        elif not endpoint.judged(verdict) and self._untried:
            fault = self._next(verdict)
            if fault is None:
                return
            verdict = fault
        self.finish(verdict)

    # --- the end ---

    def time_out(self) -> None:
        """Its time is over, whoever was asked."""
        if self.connection is not None:
            self.connection.endpoint.judged(TIMED_OUT)
        self._drop_connection()
        self.finish(TIMED_OUT)

    def finish(self, verdict: Verdict) -> None:
        """Tell who asked."""
        done = self._done
        self._disarm()
        if done is not None:
            done(self._named(verdict) if isinstance(verdict, AuthFault) else verdict)

    def _named(self, fault: AuthFault) -> AuthFault:
        """Say whose fault it is: there may be several services."""
        service = self._asked.place.name if self._asked is not None else ""
        return AuthFault(fault.reason, fault.detail, service)

    def cancel(self) -> None:
        """Nobody waits any more."""
        self._disarm()
        self._drop_connection()

    def _disarm(self) -> None:
        self._done = None
        self._client.deadlines.remove(self)
        if self._patience is not None:
            self._patience.cancel()

    def _drop_connection(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def __repr__(self) -> str:
        # the headers hold a password
        return f"Exchange({self._client.name})"


class Deadlines:
    """The deadlines of all exchanges with one service, which has the same time for each.

    One timer for all of them: a login that set and cancelled its own would pay a microsecond.
    """

    __slots__ = ("_due", "_reactor", "_timeout_s", "_timer")

    def __init__(self, reactor: Reactor, timeout_s: float) -> None:
        self._reactor = reactor
        self._timeout_s = timeout_s
        self._due: dict[Exchange, float] = {}
        """The first is due first."""
        self._timer: Timer | None = None

    def add(self, exchange: Exchange) -> None:
        """Give an exchange its time, from now on."""
        self._due[exchange] = self._reactor.now + self._timeout_s
        if self._timer is None:
            self._timer = self._reactor.call_later(self._timeout_s, self._look)

    def remove(self, exchange: Exchange) -> None:
        """It is over, or was never given a time."""
        due = self._due
        due.pop(exchange, None)
        if not due and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        now = self._reactor.now
        over = [exchange for exchange, at in self._due.items() if at <= now]
        for exchange in over:
            del self._due[exchange]
        if self._due:
            first = next(iter(self._due.values()))
            self._timer = self._reactor.call_later(first - now, self._look)
        for exchange in over:
            # one may have been given up because another was over
            if exchange.is_wanted:
                exchange.time_out()
