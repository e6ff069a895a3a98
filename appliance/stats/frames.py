"""Read what a chart shows: a row of frames of equal length, with gaps where nothing is known."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from appliance.stats.levels import EPOCH, Level
from appliance.stats.models import RollUp, Sample
from appliance.stats.numbers import Numbers, unpack
from appliance.stats.rolling import ALL_NODES


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time that charts show, up to now."""

    name: str
    title: str
    level: Level | None
    """What it is read from; None: the nodes' own reports."""
    step: timedelta
    count: int
    refresh_s: int
    """How often a page that shows it looks again."""

    def starts(self, now: datetime) -> list[datetime]:
        """Give the beginnings of its frames."""
        last = EPOCH + (now - EPOCH) // self.step * self.step
        if self.level is None:
            # not every node has told of the step that has just begun
            last -= self.step
        return [last - self.step * i for i in range(self.count - 1, -1, -1)]


SPANS: Final = {
    span.name: span
    for span in (
        Span("now", "Now", None, timedelta(seconds=10), 60, 5),
        Span("hour", "Hour", Level.MINUTE, timedelta(minutes=1), 60, 30),
        Span("day", "Day", Level.MINUTE, timedelta(minutes=5), 288, 60),
        Span("week", "Week", Level.HOUR, timedelta(hours=1), 168, 300),
        Span("month", "Month", Level.HOUR, timedelta(hours=4), 186, 300),
        Span("year", "Year", Level.DAY, timedelta(days=1), 365, 600),
    )
}


@dataclass(slots=True)
class Frame:
    """The numbers of one step."""

    numbers: Numbers
    covered_s: float
    """How much of the step is known; rates are by this."""


Frames = list[Frame | None]


def of_all(span: Span, now: datetime) -> Frames:
    """Give the frames of all nodes together; None: no node told anything."""
    starts = span.starts(now)
    if span.level is None:
        found: dict[datetime, Frame] = {}
        for frames in _live(span, starts, None).values():
            for start, frame in frames.items():
                known = found.setdefault(start, Frame(Numbers(), 0.0))
                known.numbers.add_beside(frame.numbers)
                known.covered_s = max(known.covered_s, frame.covered_s)
        return [found.get(start) for start in starts]
    return _rolled(span, starts, ALL_NODES).get(ALL_NODES) or [None] * len(starts)


def of_node(span: Span, now: datetime, node: int) -> Frames:
    """Give the frames of one node."""
    starts = span.starts(now)
    if span.level is None:
        found = _live(span, starts, node).get(node, {})
        return [found.get(start) for start in starts]
    return _rolled(span, starts, node).get(node) or [None] * len(starts)


def by_node(span: Span, now: datetime) -> dict[int, Frames]:
    """Give the frames of each node that told anything."""
    starts = span.starts(now)
    if span.level is None:
        live = _live(span, starts, None).items()
        return {node: [found.get(start) for start in starts] for node, found in live}
    rolled = _rolled(span, starts, None)
    return {node: frames for node, frames in rolled.items() if node != ALL_NODES}


def _rolled(span: Span, starts: list[datetime], node: int | None) -> dict[int, Frames]:
    rows = RollUp.objects.filter(
        level=span.level, start__gte=starts[0], start__lt=starts[-1] + span.step
    )
    if node is not None:
        rows = rows.filter(node=node)
    found: dict[int, Frames] = {}
    for whose, start, covered_ms, data in rows.values_list("node", "start", "covered_ms", "data"):
        frames = found.setdefault(whose, [None] * len(starts))
        place = (start - starts[0]) // span.step
        frame = frames[place]
        if frame is None:
            frame = frames[place] = Frame(Numbers(), 0.0)
        frame.numbers.add(unpack(data))
        frame.covered_s += covered_ms / 1000
    return found


def _live(span: Span, starts: list[datetime], node: int | None) -> dict[int, dict[datetime, Frame]]:
    """Give the nodes' reports, cut where the steps are."""
    end = starts[-1] + span.step
    rows = Sample.objects.filter(at__gt=starts[0], at__lte=end + span.step, level=Level.MINUTE)
    if node is not None:
        rows = rows.filter(node=node)
    found: dict[int, dict[datetime, Frame]] = defaultdict(dict)
    for whose, at, covered_ms, data in rows.values_list("node", "at", "covered_ms", "data"):
        cuts = list(_cuts(at - timedelta(milliseconds=covered_ms), at, span.step))
        shares = unpack(data).shares([length_ms for _, length_ms in cuts])
        for (start, length_ms), share in zip(cuts, shares, strict=True):
            frame = found[whose].setdefault(start, Frame(Numbers(), 0.0))
            frame.numbers.add(share)
            frame.covered_s += length_ms / 1000
    return found


def _cuts(since: datetime, at: datetime, step: timedelta) -> Iterator[tuple[datetime, int]]:
    here = since
    while True:
        start = EPOCH + (here - EPOCH) // step * step
        end = min(at, start + step)
        yield start, (end - here) // timedelta(milliseconds=1)
        if end >= at:
            return
        here = end
