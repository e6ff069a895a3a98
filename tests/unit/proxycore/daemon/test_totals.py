"""The node's totals never go back, whatever becomes of its workers."""

from hypothesis import given
from hypothesis import strategies as st

from proxycore.daemon.totals import Totals

ACCEPTED = "sessions_accepted{server=imap}"
DONE = "sessions_closed{server=imap,reason=done}"
LOST = "sessions_closed{server=imap,reason=worker_lost}"


def test_workers_are_summed() -> None:
    totals = Totals()
    totals.report(1, {ACCEPTED: 5}, {"sessions_open": 2})
    totals.report(2, {ACCEPTED: 7, DONE: 1}, {"sessions_open": 3})
    assert totals.values() == {ACCEPTED: 12, DONE: 1, "sessions_open": 5}
    assert totals.gauge("sessions_open") == 5


def test_a_repeated_report_changes_nothing() -> None:
    totals = Totals()
    totals.report(1, {ACCEPTED: 5}, {})
    totals.report(1, {ACCEPTED: 5}, {})
    assert totals.values() == {ACCEPTED: 5}


def test_open_sessions_of_a_dead_worker_are_closed_as_lost_and_no_gauge_stays() -> None:
    totals = Totals()
    totals.report(1, {ACCEPTED: 5, DONE: 2}, {"sessions_open": 3})
    assert totals.retire(1) == 3
    assert totals.values() == {ACCEPTED: 5, DONE: 2, LOST: 3}
    assert totals.gauge("sessions_open") == 0


def test_a_worker_that_never_reported_loses_nothing() -> None:
    assert Totals().retire(4) == 0


_STEPS = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from(["accept", "close", "die"])), max_size=40
)


@given(_STEPS)
def test_totals_never_go_back_and_balance(steps) -> None:
    totals, before, serial = Totals(), {}, {1: 1, 2: 2, 3: 3}
    counts = {name: {ACCEPTED: 0, DONE: 0} for name in serial}
    for worker, act in steps:
        mine = counts[worker]
        if act == "accept":
            mine[ACCEPTED] += 1
        elif act == "close" and mine[DONE] < mine[ACCEPTED]:
            mine[DONE] += 1
        totals.report(serial[worker], dict(mine), {})
        if act == "die":
            totals.retire(serial[worker])
            serial[worker] += 10
            counts[worker] = {ACCEPTED: 0, DONE: 0}
        now = totals.values()
        assert all(now[name] >= count for name, count in before.items())
        before = now
    still_open = sum(mine[ACCEPTED] - mine[DONE] for mine in counts.values())
    closed = before.get(DONE, 0) + before.get(LOST, 0)
    assert before.get(ACCEPTED, 0) - closed == still_open
