"""The node's cumulative totals: what the workers counted, dead ones included.

A worker reports its totals, never differences, so a repeated or lost report changes nothing. When a
worker is gone, its last totals become part of the base, so the node's totals never go back.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from proxycore.contract.reasons import CloseReason
from proxycore.contract.stats import (
    MOST_BACKENDS,
    OTHER,
    SESSIONS_ACCEPTED,
    SESSIONS_CLOSED,
    SESSIONS_MOVED_IN,
    SESSIONS_MOVED_OUT,
    added,
    series,
    split_series,
)

_SIGNS = {SESSIONS_ACCEPTED: 1, SESSIONS_MOVED_IN: 1, SESSIONS_MOVED_OUT: -1, SESSIONS_CLOSED: -1}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTotals:
    """What one worker has counted since its start, and what is so now, by series name."""

    counts: Mapping[str, int] = field(default_factory=dict)
    gauges: Mapping[str, int] = field(default_factory=dict)
    histograms: Mapping[str, list[int]] = field(default_factory=dict)


class Totals:
    """Sum of all workers, by series name."""

    def __init__(self, most_backends: int = MOST_BACKENDS) -> None:
        """``most_backends``: so many mail servers, the first that come, have a name."""
        self._base: Counter[str] = Counter()
        self._base_histograms: dict[str, list[int]] = {}
        self._reports: dict[int, WorkerTotals] = {}
        self._most_backends = most_backends
        self._backends: set[str] = set()

    def report(self, serial: int, totals: WorkerTotals) -> None:
        """Take a worker's report. ``serial`` names the worker."""
        self._reports[serial] = totals

    def retire(self, serial: int) -> int:
        """Settle the account of a worker that is gone; gives how many sessions went with it."""
        gone = self._reports.pop(serial, None)
        if gone is None:
            return 0
        self._base.update(gone.counts)
        _add(self._base_histograms, gone.histograms.items())
        lost = _open_by_server(gone.counts)
        for server, count in lost.items():
            self._base[series(SESSIONS_CLOSED, server, CloseReason.WORKER_LOST.value)] += count
        return sum(lost.values())

    def values(self) -> dict[str, int]:
        """Give every total and gauge."""
        total = Counter(self._base)
        for report in self._reports.values():
            total.update(report.counts)
            total.update(report.gauges)
        named: Counter[str] = Counter()
        for name, value in total.items():
            named[self._named(name)] += value
        return dict(named)

    def histograms(self) -> dict[str, list[int]]:
        """Give every histogram."""
        total: dict[str, list[int]] = {}
        for some in (
            self._base_histograms,
            *(report.histograms for report in self._reports.values()),
        ):
            _add(total, ((self._named(name), histogram) for name, histogram in some.items()))
        return total

    def gauge(self, name: str) -> int:
        """Give one gauge, summed."""
        return sum(report.gauges.get(name, 0) for report in self._reports.values())

    def _named(self, name: str) -> str:
        """Give the name a series is told under: mail servers there are too many of have none.

        Who has a name keeps it, or totals would go back.
        """
        if "{backend=" not in name:
            return name
        stat, (backend, *more) = split_series(name)
        if backend in self._backends or backend == OTHER:
            return name
        if len(self._backends) < self._most_backends:
            self._backends.add(backend)
            return name
        return series(stat, OTHER, *more)


def _add(total: dict[str, list[int]], more: Iterable[tuple[str, list[int]]]) -> None:
    for name, histogram in more:
        known = total.get(name)
        total[name] = list(histogram) if known is None else added(known, histogram)


def _open_by_server(counts: Mapping[str, int]) -> Counter[str]:
    still_open: Counter[str] = Counter()
    for name, count in counts.items():
        stat, labels = split_series(name)
        if stat in _SIGNS:
            still_open[labels[0]] += _SIGNS[stat] * count
    return +still_open
