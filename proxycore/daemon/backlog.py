"""What was counted while nobody listened: the totals of every minute without a control link.

Totals alone would lose no count, but tell hours afterwards how much there was, not when. As every
set holds all that the sets before it do, any of them may be left out: when there are too many,
every other one is, so that an absence of any length has its shape told in as much memory.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from proxycore.contract.messages import Stats

KEEP_S: Final = 60.0
"""How often a set is kept."""

MOST: Final = 60


class Backlog:
    """Sets of totals nobody was told of."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: list[tuple[float, Stats]] = []
        self._every = 1
        self._offered = 0

    def put(self, totals: Stats, now: float) -> None:
        """Keep a set of totals. now: seconds of any clock that only goes forward."""
        self._offered += 1
        if self._offered % self._every:
            return
        self._kept.append((now, totals))
        if len(self._kept) > self._most:
            self._kept = self._kept[1::2]
            self._every *= 2

    def take(self, now: float) -> Iterator[Stats]:
        """Give all sets, oldest first, each with its age; they are forgotten."""
        kept, self._kept, self._every, self._offered = self._kept, [], 1, 0
        for at, totals in kept:
            yield replace(totals, age_s=max(0.0, now - at))
