"""Totals kept while there is no control link."""

from itertools import pairwise

from proxycore.contract.messages import Stats
from proxycore.daemon.backlog import Backlog


def totals(seq: int) -> Stats:
    return Stats(boot_id="b", seq=seq, values={"sessions_open": seq})


def test_what_was_kept_is_told_once_oldest_first_with_its_age() -> None:
    backlog = Backlog()
    for minute in range(3):
        backlog.put(totals(minute), 60.0 * minute)
    told = list(backlog.take(180.0))
    assert [(one.seq, one.age_s) for one in told] == [(0, 180.0), (1, 120.0), (2, 60.0)]
    assert list(backlog.take(180.0)) == []


def test_a_long_absence_is_told_evenly_in_bounded_memory() -> None:
    backlog = Backlog(most=10)
    for minute in range(1000):
        backlog.put(totals(minute), 60.0 * minute)
    told = [one.seq for one in backlog.take(60_000.0)]
    assert 5 <= len(told) <= 10
    gaps = {later - earlier for earlier, later in pairwise(told)}
    assert len(gaps) == 1
    assert told[-1] >= 1000 - gaps.pop()


def test_after_it_was_told_every_minute_counts_again() -> None:
    backlog = Backlog(most=4)
    for minute in range(100):
        backlog.put(totals(minute), 60.0 * minute)
    list(backlog.take(6000.0))
    backlog.put(totals(100), 6000.0)
    assert [one.seq for one in backlog.take(6001.0)] == [100]
