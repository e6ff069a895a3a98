"""When somebody is told: a table of stories."""

from datetime import UTC, datetime, timedelta

import pytest

from appliance.alerts import policy
from appliance.alerts.choices import Occasion, Severity
from appliance.alerts.policy import Told, Trouble, Wish

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ALL = Wish(Severity.WARNING, frozenset(), 24, True)


def trouble(
    severity: Severity = Severity.WARNING, *, since: datetime = NOW - HOUR, is_open: bool = True
) -> Trouble:
    return Trouble("a.kind", severity, since, is_open)


def told(
    occasion: Occasion = Occasion.RAISED,
    ago: timedelta = HOUR,
    severity: Severity = Severity.WARNING,
) -> Told:
    return Told(occasion, severity, NOW - ago)


def wish(
    severity: Severity = Severity.WARNING,
    *kinds: str,
    remind_h: int = 24,
    tell_cleared: bool = True,
) -> Wish:
    return Wish(severity, frozenset(kinds), remind_h, tell_cleared)


@pytest.mark.parametrize(
    ("what", "who", "last", "expected"),
    [
        (trouble(), ALL, None, Occasion.RAISED),
        (trouble(), ALL, told(), None),
        (trouble(Severity.CRITICAL), ALL, told(), Occasion.WORSE),
        (trouble(), ALL, told(severity=Severity.CRITICAL), None),
        (trouble(since=NOW - 30 * HOUR), ALL, told(ago=24 * HOUR), Occasion.REMINDER),
        (trouble(since=NOW - 30 * HOUR), wish(remind_h=0), told(ago=24 * HOUR), None),
        (trouble(since=NOW - 30 * HOUR), wish(remind_h=25), told(ago=24 * HOUR), None),
        # not of interest
        (trouble(), wish(Severity.CRITICAL), None, None),
        (trouble(Severity.CRITICAL), wish(Severity.CRITICAL), None, Occasion.RAISED),
        (trouble(), wish(Severity.WARNING, "b.kind"), None, None),
        (trouble(), wish(Severity.WARNING, "b.kind", "a.kind"), None, Occasion.RAISED),
        # over
        (trouble(is_open=False), ALL, told(), Occasion.CLEARED),
        (trouble(is_open=False), ALL, told(Occasion.CLEARED), None),
        (trouble(is_open=False), ALL, None, None),
        (trouble(is_open=False), wish(tell_cleared=False), told(), None),
        # back again: at once it is the same trouble, later a new one
        (trouble(), ALL, told(Occasion.CLEARED, timedelta(minutes=9)), None),
        (trouble(), ALL, told(Occasion.CLEARED, timedelta(minutes=10)), Occasion.RAISED),
        (trouble(since=NOW), wish(tell_cleared=False), told(), Occasion.RAISED),
    ],
)
def test_who_is_told(what: Trouble, who: Wish, last: Told | None, expected: Occasion) -> None:
    assert policy.occasion(what, who, last, NOW) == expected


def test_attempts_become_rarer_and_end_after_a_day() -> None:
    waits = [policy.next_attempt(n, NOW, NOW) for n in (1, 2, 3, 7, 40)]
    minutes = [(at - NOW) / timedelta(minutes=1) for at in waits if at]
    assert minutes == [1, 2, 4, 60, 60]
    assert policy.next_attempt(9, NOW - timedelta(days=1), NOW) is None
