"""An order's life as pure data and functions: what may follow what, and when it is tried again.

No clock, no network, no database: time arrives as a value, chance as a number between 0 and 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from appliance.acme.choices import OrderState
from appliance.acme.problems import Problem
from appliance.certs.reading import Material

S = OrderState

MOVES: Final[Mapping[OrderState, frozenset[OrderState]]] = {
    S.WANTED: frozenset({S.ORDERED, S.FAILED}),
    S.ORDERED: frozenset({S.CHALLENGED, S.FAILING}),
    S.CHALLENGED: frozenset({S.PREPARED, S.FAILING}),
    S.PREPARED: frozenset({S.ANSWERED, S.FAILING}),
    S.ANSWERED: frozenset({S.READY, S.FAILING}),
    S.READY: frozenset({S.FINALIZED, S.FAILING}),
    S.FINALIZED: frozenset({S.ISSUED, S.FAILING}),
    S.ISSUED: frozenset({S.STORED, S.FAILING}),
    S.STORED: frozenset({S.DONE}),
    S.FAILING: frozenset({S.FAILED}),
    S.DONE: frozenset(),
    S.FAILED: frozenset(),
}
"""Which state may follow which. Staying is always allowed: the same step is tried again."""

_FIRST_RETRY: Final = timedelta(seconds=10)
_LONGEST_RETRY: Final = timedelta(hours=1)
_FIRST_REORDER: Final = timedelta(minutes=10)
"""Let's Encrypt allows five failed validations of a name in an hour."""
_LONGEST_REORDER: Final = timedelta(days=1)
_LONGEST_ORDER: Final = timedelta(days=7)
"""An order that the CA never closes is given up, so that another can be made."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step came to: the state it leads to, or a problem that keeps it where it is."""

    state: OrderState
    words: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Columns of the order. May hold a key: never shown."""
    at: datetime | None = None
    """When the next step is to come; None: at once."""
    problem: Problem | None = None
    challenges: Sequence[Mapping[str, Any]] = ()
    """Columns of challenges to be stored with it."""
    material: Material | None = None
    """The certificate to be stored with it."""


def may_follow(before: OrderState, after: OrderState) -> bool:
    """Tell whether a step may lead from one state to the other."""
    return before == after or after in MOVES[before]


def failed(state: OrderState) -> OrderState:
    """Give the state of failure that a state leads to."""
    return S.FAILED if state in (S.WANTED, S.FAILING) else S.FAILING


def retry_at(attempts: int, now: datetime, chance: float) -> datetime:
    """Say when a step that failed ``attempts`` times is tried again: doubling, up to an hour."""
    return now + _doubled(_FIRST_RETRY, attempts, _LONGEST_RETRY) * (1 + chance / 4)


def reorder_at(failures: int, now: datetime, chance: float) -> datetime:
    """Say when an order that failed is followed by another: doubling, up to a day."""
    return now + _doubled(_FIRST_REORDER, failures, _LONGEST_REORDER) * (1 + chance / 4)


def _doubled(first: timedelta, times: int, longest: timedelta) -> timedelta:
    return min(first * (1 << min(max(times - 1, 0), 20)), longest)


def operator_at(now: datetime) -> datetime:
    """Say when it is tried again although somebody would have to change something first."""
    return now + _LONGEST_REORDER


def is_stale(expires_at: datetime | None, created_at: datetime, now: datetime) -> bool:
    """Tell whether an order has no future: the CA has closed it, or it is older than any may be."""
    return (expires_at is not None and expires_at <= now) or created_at + _LONGEST_ORDER <= now


def rate_limited_at(attempts: int, now: datetime) -> datetime:
    """Say when a CA that wanted less, and did not say until when, is asked again at the soonest."""
    return now + _doubled(timedelta(minutes=1), attempts, timedelta(hours=6))
