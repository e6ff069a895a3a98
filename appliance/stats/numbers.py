"""What was counted in some time, by series name: added up, cut into shares, stored.

Counts and histograms are exact: whatever is cut or added, no observation is lost or told twice.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Final

from proxycore.contract.stats import HISTOGRAM_SIZE, added, split_series

_LEVEL: Final = 1
"""Of compression: a row is packed once and read often, and more of it saves little."""


@dataclass(slots=True)
class Gauge:
    """What a gauge was: its mean is ``total / times``."""

    total: float = 0.0
    times: int = 0
    most: float = 0.0

    @property
    def mean(self) -> float:
        """Give the mean."""
        return self.total / self.times if self.times else 0.0

    def add(self, other: "Gauge") -> None:
        """Take in what it was at other times."""
        self.total += other.total
        self.times += other.times
        self.most = max(self.most, other.most)


@dataclass(slots=True)
class Numbers:
    """Counts, histograms and gauges by series name."""

    counts: dict[str, int] = field(default_factory=dict)
    histograms: dict[str, list[int]] = field(default_factory=dict)
    gauges: dict[str, Gauge] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.counts or self.histograms or self.gauges)

    def add(self, other: "Numbers") -> None:
        """Take in the numbers of another time of the same node."""
        self._add_counts(other)
        for name, gauge in other.gauges.items():
            self.gauges.setdefault(name, Gauge()).add(gauge)

    def add_beside(self, other: "Numbers") -> None:
        """Take in the numbers of another node at the same time: gauges are summed."""
        self._add_counts(other)
        for name, gauge in other.gauges.items():
            mine = self.gauges.setdefault(name, Gauge(times=1))
            mine.total += gauge.mean
            mine.most += gauge.most

    def _add_counts(self, other: "Numbers") -> None:
        for name, count in other.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        for name, row in other.histograms.items():
            known = self.histograms.get(name)
            self.histograms[name] = list(row) if known is None else added(known, row)

    def shares(self, weights: Sequence[int]) -> Iterator["Numbers"]:
        """Cut into whole numbers by weight, which add up to this; the last has the gauges."""
        if len(weights) == 1:
            yield self
            return
        bounds = [0, *accumulate(weights)]
        total = bounds[-1] or 1
        for i, (low, high) in enumerate(pairwise(bounds)):
            is_last = i == len(weights) - 1

            def cut(value: int, low: int = low, high: int = total if is_last else high) -> int:
                return value * high // total - value * low // total

            rows = {name: [cut(n) for n in row] for name, row in self.histograms.items()}
            yield Numbers(
                {name: part for name, value in self.counts.items() if (part := cut(value))},
                {name: row for name, row in rows.items() if any(row)},
                self.gauges if is_last else {},
            )

    def pack(self) -> bytes:
        """Give the stored form."""
        gauges = {name: (one.total, one.times, one.most) for name, one in self.gauges.items()}
        text = json.dumps([self.counts, self.histograms, gauges], separators=(",", ":"))
        return zlib.compress(text.encode(), _LEVEL)


def unpack(packed: bytes | memoryview) -> Numbers:
    """Read the stored form."""
    counts, histograms, gauges = json.loads(zlib.decompress(packed))
    return Numbers(counts, histograms, {name: Gauge(*one) for name, one in gauges.items()})


@dataclass(frozen=True, slots=True)
class Totals:
    """Cumulative totals of one boot of a node, as far as they are known."""

    values: Mapping[str, int]
    histograms: Mapping[str, Sequence[int]]


def joined(known: Totals, told: Totals) -> Totals:
    """Give what is known after a report: nothing counted is ever taken back."""
    values = dict(known.values)
    for name, value in told.values.items():
        before = values.get(name, 0)
        values[name] = value if split_series(name)[0].gauge or value > before else before
    for name in known.values:
        if split_series(name)[0].gauge and name not in told.values:
            del values[name]
    rows = {name: list(row) for name, row in known.histograms.items()}
    for name, row in told.histograms.items():
        before_row = rows.get(name)
        rows[name] = list(row) if before_row is None else [*map(max, before_row, row)]
    return Totals(values, rows)


def counted_between(before: Totals, after: Totals) -> Numbers:
    """Give what was counted between two sets of totals of one boot, and the gauges at its end."""
    numbers = Numbers()
    for name, value in after.values.items():
        if split_series(name)[0].gauge:
            numbers.gauges[name] = Gauge(value, 1, value)
        elif value != before.values.get(name, 0):
            numbers.counts[name] = value - before.values.get(name, 0)
    empty = [0] * HISTOGRAM_SIZE
    for name, row in after.histograms.items():
        more = [a - b for a, b in zip(row, before.histograms.get(name, empty), strict=True)]
        if any(more):
            numbers.histograms[name] = more
    return numbers
