"""The node's cumulative totals: what the workers counted, dead ones included.

A worker reports its totals, never differences, so a repeated or lost report changes nothing. When a
worker is gone, its last totals become part of the base, so the node's totals never go back.
"""

from collections import Counter
from collections.abc import Mapping

from proxycore.contract.reasons import CloseReason
from proxycore.contract.stats import (
    SESSIONS_ACCEPTED,
    SESSIONS_CLOSED,
    parse_series,
    series,
)


class Totals:
    """Sum of all workers, by series name."""

    def __init__(self) -> None:
        self._base: Counter[str] = Counter()
        self._counts: dict[int, Mapping[str, int]] = {}
        self._gauges: dict[int, Mapping[str, int]] = {}

    def report(self, serial: int, counts: Mapping[str, int], gauges: Mapping[str, int]) -> None:
        """Take a worker's report. ``serial`` names the worker."""
        self._counts[serial] = counts
        self._gauges[serial] = gauges

    def retire(self, serial: int) -> int:
        """Settle the account of a worker that is gone; gives how many sessions went with it."""
        counts = self._counts.pop(serial, {})
        self._gauges.pop(serial, None)
        self._base.update(counts)
        lost = _open_by_server(counts)
        for server, count in lost.items():
            self._base[series(SESSIONS_CLOSED, server, CloseReason.WORKER_LOST.value)] += count
        return sum(lost.values())

    def values(self) -> dict[str, int]:
        """Give every total and gauge."""
        total = Counter(self._base)
        for counts in self._counts.values():
            total.update(counts)
        for gauges in self._gauges.values():
            total.update(gauges)
        return dict(total)

    def gauge(self, name: str) -> int:
        """Give one gauge, summed."""
        return sum(gauges.get(name, 0) for gauges in self._gauges.values())


def _open_by_server(counts: Mapping[str, int]) -> Counter[str]:
    still_open: Counter[str] = Counter()
    for name, count in counts.items():
        stat, labels = parse_series(name)
        if stat is SESSIONS_ACCEPTED:
            still_open[labels["server"]] += count
        elif stat is SESSIONS_CLOSED:
            still_open[labels["server"]] -= count
    return +still_open
