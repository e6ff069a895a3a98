"""Looking at the sessions that have not logged in, when somebody asks (ADR-0038).

Nothing is kept for it while sessions come and go. A walk over all of them takes as many rounds of
the loop as it needs, a few sessions in each: under an attack there are tens of thousands, and then
of all times nobody else may wait.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxycore.contract.messages import MOST_ADDRESSES, MOST_WAITING
from proxycore.contract.reasons import CloseReason
from proxycore.contract.session import WaitingSession
from proxycore.net.context import Context
from proxycore.net.prelogin import key_of

if TYPE_CHECKING:
    from proxycore.net.arrival import Arrival
    from proxycore.net.driver import Driver

LOOKED_AT_PER_ROUND: Final = 250
"""Sessions; describing each takes some microseconds."""

ENDED_PER_ROUND: Final = 25
"""Sessions; ending one takes a few system calls and the lines of two logs."""

FAIR_ROWS: Final = 25
"""Sessions described of one address when there are more than may be described."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """What a survey of one worker found, as ``contract.messages.Waiting`` has it."""

    by_standing: dict[str, int]
    by_address: dict[str, int]
    sessions: list[WaitingSession]


class Walk:
    """Visits every session before login, the oldest first."""

    __slots__ = ("_at", "_context", "_numbers", "_per_round")

    def __init__(self, context: Context, per_round: int) -> None:
        self._context = context
        self._numbers: list[int] = []
        self._at = 0
        self._per_round = per_round

    def begin(self) -> None:
        """Begin in the loop's next round."""
        self._numbers = list(self._context.drivers)
        self._context.reactor.wake(self._go_on)

    def _go_on(self) -> None:
        drivers = self._context.drivers
        first, self._at = self._at, self._at + self._per_round
        for number in self._numbers[first : self._at]:
            session = drivers.get(number)
            if session is not None:
                self._visit(session)
        if self._at < len(self._numbers):
            self._context.reactor.wake(self._go_on)
        else:
            self._end()

    def _visit(self, session: "Driver | Arrival") -> None:
        raise NotImplementedError

    def _end(self) -> None:
        raise NotImplementedError


class Survey(Walk):
    """Counts all, and describes some."""

    __slots__ = ("_answer", "_by_standing", "_left_of", "_most", "_sessions")

    def __init__(self, context: Context, most: int, answer: Callable[[Surveyed], None]) -> None:
        super().__init__(context, LOOKED_AT_PER_ROUND)
        self._answer = answer
        self._most = max(0, min(most, MOST_WAITING))
        self._by_standing: dict[str, int] = {}
        self._left_of: dict[str, int] = {}
        """By address: how many more of it may be described."""
        self._sessions: list[WaitingSession] = []

    def _visit(self, session: "Driver | Arrival") -> None:
        standing = session.standing().value
        self._by_standing[standing] = self._by_standing.get(standing, 0) + 1
        if len(self._sessions) >= self._most:
            return
        if len(self._numbers) > self._most:
            key = key_of(session.address)
            left = self._left_of.get(key, FAIR_ROWS)
            if not left:
                return
            self._left_of[key] = left - 1
        self._sessions.append(session.describe())

    def _end(self) -> None:
        self._answer(
            Surveyed(
                by_standing=self._by_standing,
                by_address=dict(self._context.gate.most(MOST_ADDRESSES)),
                sessions=self._sessions,
            )
        )


class Eviction(Walk):
    """Disconnects the sessions of one address."""

    __slots__ = ("_address", "_answer", "_ended")

    def __init__(self, context: Context, address: str, answer: Callable[[int], None]) -> None:
        super().__init__(context, ENDED_PER_ROUND)
        self._address = address
        self._answer = answer
        self._ended = 0

    def _visit(self, session: "Driver | Arrival") -> None:
        if session.address and key_of(session.address) == self._address:
            session.stop(CloseReason.KICKED)
            self._ended += 1

    def _end(self) -> None:
        self._answer(self._ended)
