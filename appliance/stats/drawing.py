"""Charts as SVG. Pure: numbers in, markup out; colours are the style sheet's (``charts.css``)."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, floor, log10
from typing import Any, Final

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from appliance.stats.charts import BYTES, COUNT, PER_SECOND, SECONDS, Chart, Line, Values

WIDTH: Final = 640
LEFT, RIGHT, TOP, BOTTOM = 58, 10, 10, 22
_TICKS: Final = 4
_BINARY: Final = ("B", "KB", "MB", "GB", "TB", "PB")


@dataclass(frozen=True, slots=True)
class Axis:
    """The vertical axis: from 0 to ``top``, a line at each of ``ticks``."""

    top: float
    ticks: tuple[float, ...]


def shown(value: float | None, unit: str, *, like: float = 0.0) -> str:
    """Write a value with its unit, as short as can be read; in the unit of ``like``, if given."""
    if value is None:
        return "–"
    if unit == SECONDS:
        return f"{_short(value * 1000)} ms" if (like or value) < 1 else f"{_short(value)} s"
    if unit == BYTES:
        power, like = 0, like or value
        while like >= 1024 and power < len(_BINARY) - 1:
            value, like, power = value / 1024, like / 1024, power + 1
        return f"{_short(value)} {_BINARY[power]}/s"
    text = _short(value) if value < 10_000 else f"{value:,.0f}"
    return f"{text}/s" if unit == PER_SECOND else text


def _short(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.2g}" if value < 1 else f"{value:.1f}".removesuffix(".0")


def axis(values: Sequence[float], unit: str) -> Axis:
    """Choose round numbers for an axis that holds these values."""
    top = max(values, default=0.0)
    if top <= 0:
        return Axis(1.0, (0.0,))
    base = 1.0
    if unit == BYTES:
        while top / base >= 1024 and base < 1024**5:
            base *= 1024
    step = _round_up(top / base / _TICKS) * base
    if unit == COUNT:
        step = max(1.0, step)
    count = ceil(top / step - 1e-9)
    return Axis(step * count, tuple(step * i for i in range(count + 1)))


def _round_up(value: float) -> float:
    power = 10.0 ** floor(log10(value))
    return next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= value * 0.999) * power


def time_ticks(starts: Sequence[datetime], step: timedelta) -> list[tuple[int, str]]:
    """Choose frames that have the time written below them."""
    length = step * len(starts)
    for every, form in (
        (timedelta(minutes=2), "%H:%M"),
        (timedelta(minutes=10), "%H:%M"),
        (timedelta(hours=4), "%H:%M"),
        (timedelta(days=1), "%a %-d"),
        (timedelta(days=5), "%-d %b"),
    ):
        if length / every <= 8:
            midnight = starts[0].replace(hour=0, minute=0, second=0, microsecond=0)
            return [
                (i, f"{start:{form}}")
                for i, start in enumerate(starts)
                if (start - midnight) % every < step
            ]
    return [(i, f"{start:%b}") for i, start in enumerate(starts) if start.day == 1]


def pieces(values: Values) -> Iterator[list[tuple[int, float]]]:
    """Give what is between gaps."""
    piece: list[tuple[int, float]] = []
    for i, value in enumerate(values):
        if value is not None:
            piece.append((i, value))
        elif piece:
            yield piece
            piece = []
    if piece:
        yield piece


def last_known(line: Line) -> float | None:
    """Give the latest value of a line."""
    return next((value for value in reversed(line.values) if value is not None), None)


def draw(
    chart: Chart, starts: Sequence[datetime], step: timedelta, *, height: int = 210
) -> SafeString:
    """Give a chart's SVG; what it shows under the pointer is for ``charts.js``."""
    known = [value for line in chart.lines for value in line.values if value is not None]
    scale = axis(known, chart.unit)
    wide, high = (WIDTH - LEFT - RIGHT) / max(1, len(starts) - 1), height - TOP - BOTTOM

    def x(i: int) -> float:
        return round(LEFT + i * wide, 1)

    def y(value: float) -> float:
        return round(TOP + high * (1 - value / scale.top), 1)

    marks = [
        f'<line class="chart-grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick)}" y2="{y(tick)}"/>'
        f'<text class="chart-tick" x="{LEFT - 6}" y="{y(tick) + 3.5}" text-anchor="end">'
        f"{escape(shown(tick, chart.unit, like=scale.top))}</text>"
        for tick in scale.ticks
    ]
    marks += [
        f'<text class="chart-tick" x="{x(i)}" y="{height - 6}" text-anchor="middle">'
        f"{escape(text)}</text>"
        for i, text in time_ticks(starts, step)
        if LEFT + 8 < x(i) + 12 < WIDTH
    ]
    for number, line in reversed(list(enumerate(chart.lines))):
        for piece in pieces(line.values):
            points = " ".join(f"{x(i)},{y(value)}" for i, value in piece)
            if len(piece) == 1:
                marks.append(
                    f'<circle class="chart-dot chart-c{number}" cx="{x(piece[0][0])}"'
                    f' cy="{y(piece[0][1])}" r="2"/>'
                )
            else:
                marks.append(f'<polyline class="chart-line chart-c{number}" points="{points}"/>')
    if not known:
        marks.append(
            f'<text class="chart-nothing" x="{(WIDTH + LEFT) / 2}" y="{height / 2}"'
            ' text-anchor="middle">Nothing was counted in this time.</text>'
        )
    return format_html(
        '<svg class="chart-svg" viewBox="0 0 {} {}" role="img" aria-label="{}"'
        ' data-chart="{}">{}</svg>',
        WIDTH,
        height,
        f"{chart.title}: {', '.join(_spoken(chart))}",
        json.dumps(_pointed(chart, starts, step, height)),
        mark_safe("".join(marks)),  # noqa: S308  (composed of numbers and escaped text)
    )


def _spoken(chart: Chart) -> list[str]:
    return [f"{line.name} {shown(last_known(line), chart.unit)}" for line in chart.lines]


def _pointed(
    chart: Chart, starts: Sequence[datetime], step: timedelta, height: int
) -> dict[str, Any]:
    """Give what the pointer finds: a text for each frame of each line."""
    form = "%H:%M:%S" if step < timedelta(minutes=1) else "%-d %b %H:%M"
    if step >= timedelta(days=1):
        form = "%-d %b %Y"
    return {
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "top": TOP,
        "bottom": height - BOTTOM,
        "times": [f"{start:{form}}" for start in starts],
        "lines": [
            [line.name, [shown(value, chart.unit) for value in line.values]] for line in chart.lines
        ],
    }
