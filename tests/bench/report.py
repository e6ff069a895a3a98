"""The outcome as a table for people and as JSON for machines."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench.measure import Better, Contest, Goal, Measure, Metric
from tests.bench.pairs import Spread, ratios, spread


@dataclass(frozen=True, slots=True)
class Result:
    """One metric of one contest: every figure, and what they come to."""

    measure: str
    contest: Contest
    metric: Metric
    peer: tuple[float, ...]
    candidate: tuple[float, ...]

    @property
    def ratio(self) -> Spread | None:
        """Give the pairwise ratios' median and quartiles; None where there is nothing to divide."""
        found = ratios(self.peer, self.candidate)
        return spread(found) if found and self.metric.better is not Better.NEITHER else None

    @property
    def goal(self) -> Goal | None:
        """Give what is to be reached."""
        return self.contest.goals.get(self.metric.name)

    @property
    def is_reached(self) -> bool | None:
        """Tell whether the goal is reached; None without one."""
        if self.goal is None or self.ratio is None:
            return None
        absolute = spread(self.candidate).median
        return self.goal.is_reached(self.metric.better, self.ratio.median, absolute)

    def to_plain(self) -> dict[str, Any]:
        """Give as JSON data."""
        ratio, goal = self.ratio, self.goal
        return {
            "measure": self.measure,
            "peer": self.contest.peer,
            "candidate": self.contest.candidate,
            "metric": self.metric.name,
            "unit": self.metric.unit,
            "better": self.metric.better.value,
            "peer_values": list(self.peer),
            "candidate_values": list(self.candidate),
            "ratio": None
            if ratio is None
            else {"q1": ratio.q1, "median": ratio.median, "q3": ratio.q3},
            "goal": None if goal is None else {"ratio": goal.ratio, "absolute": goal.absolute},
            "reached": self.is_reached,
        }


def results_of(
    measure: Measure,
    contest: Contest,
    peer: Sequence[dict[str, float]],
    candidate: Sequence[dict[str, float]],
) -> list[Result]:
    """Sort the figures of all pairs by metric."""
    return [
        Result(
            measure.name,
            contest,
            metric,
            tuple(figures[metric.name] for figures in peer),
            tuple(figures[metric.name] for figures in candidate),
        )
        for metric in measure.metrics
    ]


_HEADER = ("measure", "metric", "peer", "", "candidate", "", "ratio", "quartiles", "goal", "")


def table(results: Iterable[Result]) -> str:
    """Render as aligned text, one line per metric."""
    rows = [_HEADER, *map(_row, results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER))]
    lines = [
        "  ".join(
            word.rjust(width) if i in (3, 5, 6) else word.ljust(width)
            for i, (word, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _row(result: Result) -> tuple[str, ...]:
    ratio, goal = result.ratio, result.goal
    return (
        result.measure,
        f"{result.metric.name} {result.metric.unit}".strip(),
        result.contest.peer,
        _figure(spread(result.peer).median),
        result.contest.candidate,
        _figure(spread(result.candidate).median),
        "" if ratio is None else f"{ratio.median:.2f}x",
        "" if ratio is None else f"[{ratio.q1:.2f}..{ratio.q3:.2f}]",
        "" if goal is None else _goal(goal, result.metric),
        {None: "", True: "reached", False: "MISSED"}[result.is_reached],
    )


def _goal(goal: Goal, metric: Metric) -> str:
    sign = "≥" if metric.better is Better.HIGHER else "≤"
    words = []
    if goal.ratio is not None:
        words.append(f"{sign} {goal.ratio:g}x")
    if goal.absolute is not None:
        words.append(f"{sign} {goal.absolute:g} {metric.unit}")
    return ", ".join(words)


def _figure(value: float) -> str:
    if value == 0 or abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
