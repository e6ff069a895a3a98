"""The charts of a page: what was asked for, read and drawn."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.utils.safestring import SafeString

from appliance.stats import charts, drawing, frames, registry
from appliance.stats.charts import BACKEND_FAMILY, SERVER_FAMILY, Chart, Lens, Table
from appliance.stats.frames import SPANS, Frames, Span
from proxycore.contract.stats import SESSIONS_OPEN

BYS: Final = {
    "outcome": "Outcome",
    "server": "Server block",
    "protocol": "Protocol",
    "backend": "Mail server",
    "node": "Node",
}

_HOME: Final = ("logins", "sessions", "octets", "auth")
_HOME_HEIGHT: Final = 150


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be shown. What makes no sense is the default."""

    span: Span
    by: str
    only: str = ""
    """One server block, protocol, mail server or node, by name or (a node) by number."""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Asked":
        """Read a query string."""
        by = query.get("by", "")
        return cls(
            span=SPANS.get(query.get("range", ""), SPANS["now"]),
            by=by if by in BYS else "outcome",
            only=query.get("only", "")[:200] if by in BYS and by != "outcome" else "",
        )


@dataclass(slots=True)
class Drawn:
    """A chart as the template has it."""

    name: str
    title: str
    note: str
    svg: SafeString
    legend: list[tuple[str, str, str]]
    """Of each line: name, latest value, and the ``only`` that shows more of it."""


@dataclass(slots=True)
class Board:
    """All charts of a page."""

    asked: Asked
    charts: list[Drawn] = field(default_factory=list)
    only_name: str = ""


def board(asked: Asked, now: datetime) -> Board:
    """Read and draw what was asked for."""
    starts = asked.span.starts(now)
    found = _overall(asked, now) if asked.by == "outcome" or asked.only else _compared(asked, now)
    name = asked.only
    if asked.by == "node" and asked.only.isdecimal():
        name = registry.node_names().get(int(asked.only), f"node {asked.only}")
    drawn = [_drawn(chart, starts, asked.span) for chart in found]
    return Board(asked, drawn, name)


def home(now: datetime) -> list[Drawn]:
    """Give the small charts of the home page: all nodes in the last minutes."""
    asked = Asked(SPANS["now"], "outcome")
    starts = asked.span.starts(now)
    found = {chart.name: chart for chart in _overall(asked, now)}
    return [_drawn(found[name], starts, asked.span, height=_HOME_HEIGHT) for name in _HOME]


def of_backends(backends: Collection[str], span: Span, now: datetime) -> list[Drawn]:
    """Draw some mail servers together, as those of one mail host."""
    lens = Lens(BACKEND_FAMILY, lambda labels: "" if labels[0] in backends else None)
    found = charts.overall(Table(frames.of_all(span, now), lens))
    return [_drawn(chart, span.starts(now), span, height=_HOME_HEIGHT) for chart in found]


def _drawn(chart: Chart, starts: list[datetime], span: Span, *, height: int = 210) -> Drawn:
    legend = [
        (line.name, drawing.shown(drawing.last_known(line), chart.unit), line.key)
        for line in chart.lines
    ]
    svg = drawing.draw(chart, starts, span.step, height=height)
    return Drawn(chart.name, chart.title, chart.note, svg, legend)


def _overall(asked: Asked, now: datetime) -> list[Chart]:
    if asked.by == "node" and asked.only.isdecimal():
        rows = frames.of_node(asked.span, now, min(int(asked.only), 2**62))
        return charts.overall(Table(rows, _whole), _open(rows))
    rows = frames.of_all(asked.span, now)
    if not asked.only:
        return charts.overall(Table(rows, _whole), _open(rows))
    return charts.overall(Table(rows, _only(asked, rows)))


def _only(asked: Asked, rows: Frames) -> Lens:
    if asked.by == "backend":
        return Lens(BACKEND_FAMILY, lambda labels: "" if labels[0] == asked.only else None)
    known = charts.protocols(rows) if asked.by == "protocol" else {}

    def group(labels: tuple[str, ...]) -> str | None:
        return "" if known.get(labels[0], labels[0]) == asked.only else None

    return Lens(SERVER_FAMILY, group)


def _compared(asked: Asked, now: datetime) -> list[Chart]:
    if asked.by == "node":
        tables = {str(node): rows for node, rows in frames.by_node(asked.span, now).items()}
        names = {str(node): name for node, name in registry.node_names().items()}
        names = {key: names.get(key, f"node {key}") for key in tables}
        seen = {
            key: Table(rows, Lens(SERVER_FAMILY, lambda _, key=key: key))  # type: ignore[misc]
            for key, rows in tables.items()
        }
        return charts.compared(seen, names)
    rows = frames.of_all(asked.span, now)
    if asked.by == "protocol":
        known = charts.protocols(rows)
        lens = Lens(SERVER_FAMILY, lambda labels: known.get(labels[0], "unknown"))
    else:
        family = BACKEND_FAMILY if asked.by == "backend" else SERVER_FAMILY
        lens = Lens(family, lambda labels: labels[0])
    return charts.compared(charts.grouped(rows, lens), {})


_whole: Final = Lens(SERVER_FAMILY, lambda _: "")


def _open(rows: Frames) -> list[float | None]:
    name = SESSIONS_OPEN.name
    gauges = (None if row is None else row.numbers.gauges.get(name) for row in rows)
    return [None if gauge is None else gauge.mean for gauge in gauges]
