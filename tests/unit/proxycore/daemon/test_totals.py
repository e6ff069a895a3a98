"""The node's totals never go back, whatever becomes of its workers."""

from hypothesis import given
from hypothesis import strategies as st

from proxycore.contract.stats import (
    AUTH_TIME,
    BACKEND_FAILURES,
    BACKEND_LOGIN_TIME,
    BACKEND_LOGINS,
    HISTOGRAM_SIZE,
    series,
)
from proxycore.daemon.totals import Totals, WorkerTotals

ACCEPTED = "sessions_accepted{server=imap}"
DONE = "sessions_closed{server=imap,reason=done}"
LOST = "sessions_closed{server=imap,reason=worker_lost}"


def said(counts: dict[str, int], gauges: dict[str, int] | None = None) -> WorkerTotals:
    return WorkerTotals(counts=counts, gauges=gauges or {})


def timed(**histograms: list[int]) -> WorkerTotals:
    return WorkerTotals(
        histograms={series(AUTH_TIME, server): row for server, row in histograms.items()}
    )


def test_workers_are_summed() -> None:
    totals = Totals()
    totals.report(1, said({ACCEPTED: 5}, {"sessions_open": 2}))
    totals.report(2, said({ACCEPTED: 7, DONE: 1}, {"sessions_open": 3}))
    assert totals.values() == {ACCEPTED: 12, DONE: 1, "sessions_open": 5}
    assert totals.gauge("sessions_open") == 5


def test_a_repeated_report_changes_nothing() -> None:
    totals = Totals()
    totals.report(1, said({ACCEPTED: 5}))
    totals.report(1, said({ACCEPTED: 5}))
    assert totals.values() == {ACCEPTED: 5}


def test_open_sessions_of_a_dead_worker_are_closed_as_lost_and_no_gauge_stays() -> None:
    totals = Totals()
    totals.report(1, said({ACCEPTED: 5, DONE: 2}, {"sessions_open": 3}))
    assert totals.retire(1) == 3
    assert totals.values() == {ACCEPTED: 5, DONE: 2, LOST: 3}
    assert totals.gauge("sessions_open") == 0


def test_a_session_that_moved_is_lost_where_it_went() -> None:
    totals = Totals()
    moved = {
        "sessions_moved_out{server=imap}": 3,
        "sessions_moved_in{server=other}": 3,
        "sessions_closed{server=other,reason=done}": 1,
    }
    totals.report(1, said({ACCEPTED: 5, DONE: 2, **moved}))
    assert totals.retire(1) == 2
    values = totals.values()
    assert values["sessions_closed{server=other,reason=worker_lost}"] == 2
    assert LOST not in values


def test_a_worker_that_never_reported_loses_nothing() -> None:
    assert Totals().retire(4) == 0


def test_histograms_are_summed_and_outlive_their_worker() -> None:
    one, two = [1] * HISTOGRAM_SIZE, [2] * HISTOGRAM_SIZE
    totals = Totals()
    totals.report(1, timed(imap=one))
    totals.report(2, timed(imap=two, pop3=one))
    wanted = {series(AUTH_TIME, "imap"): [3] * HISTOGRAM_SIZE, series(AUTH_TIME, "pop3"): one}
    assert totals.histograms() == wanted
    totals.retire(1)
    assert totals.histograms() == wanted
    assert one == [1] * HISTOGRAM_SIZE


def test_mail_servers_beyond_the_limit_are_others_and_who_has_a_name_keeps_it() -> None:
    totals = Totals(most_backends=2)
    row = [1] * HISTOGRAM_SIZE
    totals.report(1, said({series(BACKEND_LOGINS, name): 1 for name in ("a:1", "b:1")}))
    assert set(totals.values()) == {series(BACKEND_LOGINS, "a:1"), series(BACKEND_LOGINS, "b:1")}
    names = ("d:1", "c:1", "b:1", "a:1")
    failed = {series(BACKEND_FAILURES, "c:1", "backend_refused"): 4}
    totals.report(
        1,
        WorkerTotals(
            counts={**{series(BACKEND_LOGINS, name): 2 for name in names}, **failed},
            histograms={series(BACKEND_LOGIN_TIME, name): row for name in names},
        ),
    )
    assert totals.values() == {
        series(BACKEND_LOGINS, "a:1"): 2,
        series(BACKEND_LOGINS, "b:1"): 2,
        series(BACKEND_LOGINS, "other"): 4,
        series(BACKEND_FAILURES, "other", "backend_refused"): 4,
    }
    assert totals.histograms()[series(BACKEND_LOGIN_TIME, "other")] == [2] * HISTOGRAM_SIZE


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
        totals.report(serial[worker], said(dict(mine)))
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
