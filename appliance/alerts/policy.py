"""When somebody is told, and when a message is tried again. Pure: time comes in, nothing goes out.

Whoever is to be told is found by looking at what he was told last, so that it does not matter how
often, or after which loss, one looks.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from appliance.alerts.choices import Occasion, Severity

QUIET: Final = timedelta(minutes=10)
"""What comes and goes within this is one trouble, and told once."""
GIVE_UP_AFTER: Final = timedelta(days=1)
LEASE: Final = timedelta(minutes=3)
"""How long an attempt may last before it counts as lost with its process."""
_FIRST_RETRY: Final = timedelta(minutes=1)
_LONGEST_RETRY: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Told:
    """The last that somebody was told of a trouble, or is about to be."""

    occasion: Occasion
    severity: Severity
    at: datetime
    level: int = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to be told."""

    severity: Severity
    kinds: frozenset[str]
    """Empty: all."""
    remind_h: int
    tell_cleared: bool


@dataclass(frozen=True, slots=True)
class Trouble:
    """An alert, as far as telling goes."""

    kind: str
    severity: Severity
    since: datetime
    is_open: bool
    level: int = 0


def occasion(trouble: Trouble, wish: Wish, last: Told | None, now: datetime) -> Occasion | None:
    """Say why somebody is to be told now; None: he is not."""
    is_known = last is not None and last.occasion is not Occasion.CLEARED
    if not trouble.is_open:
        return Occasion.CLEARED if is_known and wish.tell_cleared else None
    if (wish.kinds and trouble.kind not in wish.kinds) or (
        trouble.severity.rank < wish.severity.rank
    ):
        return None
    if last is None:
        return Occasion.RAISED
    if not is_known or last.at < trouble.since:
        return Occasion.RAISED if now - last.at >= QUIET else None
    return _again(trouble, wish, last, now)


def _again(trouble: Trouble, wish: Wish, last: Told, now: datetime) -> Occasion | None:
    if (trouble.severity.rank, trouble.level) > (last.severity.rank, last.level):
        return Occasion.WORSE
    if wish.remind_h and now - last.at >= timedelta(hours=wish.remind_h):
        return Occasion.REMINDER
    return None


def next_attempt(attempts: int, created_at: datetime, now: datetime) -> datetime | None:
    """Say when to try again after so many attempts; None: never."""
    if now - created_at >= GIVE_UP_AFTER:
        return None
    return now + min(_FIRST_RETRY * (1 << min(attempts - 1, 10)), _LONGEST_RETRY)
