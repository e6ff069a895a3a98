"""Arithmetic of paired runs: order, ratios, quartiles. Pure.

On a machine whose speed drifts, the figure of one run says little and the ratio of two adjacent
runs says much. So every ratio is taken inside a pair, and the pairs alternate their order (ABBA):
what drifts steadily then favours each side equally often.
"""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


def abba(peer: str, candidate: str, pairs: int) -> Iterator[tuple[str, str]]:
    """Give the two names of each pair in the order they are to run."""
    for index in range(pairs):
        yield (peer, candidate) if index % 2 == 0 else (candidate, peer)


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles."""

    q1: float
    median: float
    q3: float


def spread(values: Sequence[float]) -> Spread:
    """Give median and quartiles (inclusive method: the values are all there is, not a sample)."""
    if not values:
        raise ValueError("no values")
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    q1, median, q3 = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(q1, median, q3)


def ratios(peer: Sequence[float], candidate: Sequence[float]) -> list[float]:
    """Give candidate / peer for each pair.

    A peer's zero (a memory difference below one page) has no ratio: that pair is left out.
    """
    if len(peer) != len(candidate):
        raise ValueError(f"{len(peer)} runs of the peer, {len(candidate)} of the candidate")
    return [ours / theirs for theirs, ours in zip(peer, candidate, strict=True) if theirs]
