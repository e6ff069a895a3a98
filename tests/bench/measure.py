"""What a measure is: figures of one run of one proxy, and who is compared by them.

A measure never compares: it runs one proxy once and gives figures. The runner calls it in ABBA
pairs and takes the ratios.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from tests.bench.rig import Rig


class Better(Enum):
    """Which direction of a figure is the good one."""

    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "neither"
    """Shown to explain another figure, not to be compared."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a run."""

    name: str
    unit: str
    better: Better = Better.LOWER


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure is to reach, as a ratio to the peer's and, where set, by itself."""

    ratio: float | None = None
    absolute: float | None = None

    def is_reached(self, better: Better, ratio: float, absolute: float) -> bool:
        """Tell whether a median ratio and a median figure reach the goal."""
        sign = -1 if better is Better.HIGHER else 1
        by_ratio = self.ratio is None or sign * ratio <= sign * self.ratio
        by_figure = self.absolute is None or sign * absolute <= sign * self.absolute
        return by_ratio and by_figure


@dataclass(frozen=True, slots=True)
class Contest:
    """A peer and a candidate, by their names in ``proxies``, and the goals by metric."""

    peer: str
    candidate: str
    goals: Mapping[str, Goal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is done: the short form looks, the full form decides."""

    name: str
    factor: float
    """Operations of a run, relative to the full form."""

    def operations(self, full: int, least: int = 1) -> int:
        """Scale a number of operations."""
        return max(least, int(full * self.factor))


SHORT = Scale("short", 0.4)
FULL = Scale("full", 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One line of work, done by each contestant in turn."""

    name: str
    title: str
    metrics: tuple[Metric, ...]
    contests: tuple[Contest, ...]
    run: Callable[[Rig, str, Scale], Mapping[str, float]]
    """Run one proxy once; gives a figure for every metric."""
    pairs_short: int = 3
    pairs_full: int = 12

    def pairs(self, scale: Scale) -> int:
        """Give how many pairs of runs this form makes."""
        return self.pairs_short if scale is SHORT else self.pairs_full
