"""What the charts show: lines of values, chosen from frames by what an operator asks for."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from appliance.stats.frames import Frames
from appliance.stats.numbers import Numbers
from proxycore.contract import stats as catalogue
from proxycore.contract.reasons import FAILED_LOGINS, OF_BACKENDS, CloseReason
from proxycore.contract.reasons import title as title_of
from proxycore.contract.stats import Stat, added, quantile_s, split_series

MOST_LINES: Final = 8
"""In one chart; what is less than these is added up as one more."""

PER_SECOND, BYTES, SECONDS, COUNT = "per_s", "bytes_per_s", "seconds", "count"

Values = list[float | None]


@dataclass(slots=True)
class Line:
    """One line of a chart."""

    name: str
    values: Values
    key: str = ""
    """What ``only`` has to be to see more of it."""


@dataclass(slots=True)
class Chart:
    """One chart."""

    name: str
    title: str
    unit: str
    lines: list[Line] = field(default_factory=list)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Lens:
    """Which series are looked at, and under which name each is added up."""

    family: Mapping[str, Stat]
    group: Callable[[tuple[str, ...]], str | None]
    """From the values of a series' labels; None: it is left out."""


SERVER_FAMILY: Final = {
    "logins": catalogue.LOGINS,
    "to_front": catalogue.BYTES_TO_FRONT,
    "to_back": catalogue.BYTES_TO_BACK,
    "sessions": catalogue.SERVER_SESSIONS,
    "auth": catalogue.AUTH_TIME,
    "connect": catalogue.CONNECT_TIME,
    "login": catalogue.LOGIN_TIME,
}
BACKEND_FAMILY: Final = {
    "logins": catalogue.BACKEND_LOGINS,
    "to_front": catalogue.BACKEND_BYTES_TO_FRONT,
    "to_back": catalogue.BACKEND_BYTES_TO_BACK,
    "sessions": catalogue.BACKEND_SESSIONS,
    "connect": catalogue.BACKEND_CONNECT_TIME,
    "login": catalogue.BACKEND_LOGIN_TIME,
}

_TIMES: Final = {
    "auth": ("auth", "Answers of the auth service", "Cached verdicts take no time."),
    "connect": ("connect", "Connecting to mail servers", "Until their first word."),
    "login": ("login", "Logging in at mail servers", "From their first word on."),
}
_AUTH_CAUSES: Final = frozenset(reason.value for reason in FAILED_LOGINS - OF_BACKENDS)
_BACK_CAUSES: Final = frozenset(reason.value for reason in OF_BACKENDS)
_REFUSED_THERE: Final = frozenset({CloseReason.BACKEND_REJECTED.value})


class Cells:
    """One frame, added up by stat and group."""

    def __init__(self, numbers: Numbers, lens: Lens) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()
        """Ends by group and reason."""
        self.gauges: Counter[tuple[str, str]] = Counter()
        self.histograms: dict[tuple[str, str], list[int]] = {}
        first = next(iter(lens.family.values())).labels[0]
        for name, count in numbers.counts.items():
            stat, labels = split_series(name)
            group = lens.group(labels) if stat.labels[:1] == (first,) else None
            if group is None:
                continue
            self.counts[stat.name, group] += count
            if len(labels) > 1:
                self.reasons[group, labels[1]] += count
        for name, gauge in numbers.gauges.items():
            stat, labels = split_series(name)
            group = lens.group(labels) if stat.labels == (first,) else None
            if group is not None:
                self.gauges[stat.name, group] += gauge.mean  # type: ignore[assignment]
        for name, row in numbers.histograms.items():
            stat, labels = split_series(name)
            group = lens.group(labels) if stat.labels == (first,) else None
            if group is not None:
                known = self.histograms.get((stat.name, group))
                self.histograms[stat.name, group] = row if known is None else added(known, row)

    def failed(self, group: str) -> int:
        """Give failed logins."""
        causes = (n for (one, why), n in self.reasons.items() if one == group and _is_failed(why))
        return self.counts[catalogue.LOGIN_FAILURES.name, group] + sum(causes)


def _is_failed(reason: str) -> bool:
    return reason in _AUTH_CAUSES or reason in _BACK_CAUSES


class Table:
    """Frames through a lens."""

    def __init__(self, frames: Frames, lens: Lens) -> None:
        self.family = lens.family
        self._rows = [
            None if frame is None else (Cells(frame.numbers, lens), max(frame.covered_s, 1.0))
            for frame in frames
        ]
        self.groups = sorted(
            {
                group
                for row in self._rows
                if row is not None
                for cells in (row[0].counts, row[0].gauges)
                for _, group in cells
            }
        )

    def rates(self, count: Callable[[Cells], float]) -> Values:
        """Give something counted, by second."""
        return [None if row is None else count(row[0]) / row[1] for row in self._rows]

    def levels(self, level: Callable[[Cells], float]) -> Values:
        """Give something that was so."""
        return [None if row is None else level(row[0]) for row in self._rows]

    def quantiles(self, name: str, share: float, group: str) -> Values:
        """Give a quantile in seconds; None also where nothing was observed."""
        key = (self.family[name].name, group)
        rows = (None if row is None else row[0].histograms.get(key) for row in self._rows)
        return [None if row is None else quantile_s(row, share) for row in rows]

    def counted(self, name: str, group: str) -> Callable[[Cells], float]:
        """Give what looks up a count of the family."""
        key = (self.family[name].name, group)
        return lambda cells: cells.counts[key]

    def reasons(self, group: str) -> list[str]:
        """Give why sessions ended, most frequent first."""
        total: Counter[str] = Counter()
        for row in self._rows:
            for (one, reason), count in row[0].reasons.items() if row is not None else ():
                if one == group:
                    total[reason] += count
        return [reason for reason, _ in total.most_common()]


def overall(table: Table, open_sessions: Values | None = None) -> list[Chart]:
    """Give the charts of everything together, in the group ""."""
    counted, rates = table.counted, table.rates
    is_backend = "auth" not in table.family
    logins = [Line("Good", rates(counted("logins", "")))]
    if not is_backend:
        refused = (catalogue.LOGIN_FAILURES.name, "")
        logins.append(Line("Refused", rates(lambda cells: cells.counts[refused])))
    logins.append(Line("Refused by mail server", rates(lambda c: _ended(c, _REFUSED_THERE))))
    if not is_backend:
        logins.append(Line("Auth service away", rates(lambda c: _ended(c, _AUTH_CAUSES))))
    broken = _BACK_CAUSES - _REFUSED_THERE
    logins.append(Line("Mail server failed", rates(lambda c: _ended(c, broken))))
    sessions = [Line("Logged in", table.levels(_gauge(table.family["sessions"])))]
    if open_sessions is not None:
        sessions.append(Line("Connected", open_sessions))
    octets = [
        Line("To clients", rates(counted("to_front", ""))),
        Line("To mail servers", rates(counted("to_back", ""))),
    ]
    charts = [
        Chart("logins", "Logins", PER_SECOND, logins),
        Chart("sessions", "Sessions", COUNT, sessions),
        Chart("octets", "Octets", BYTES, octets),
    ]
    charts += [
        Chart(
            name,
            title,
            SECONDS,
            [
                Line(f"p{round(share * 100)}", table.quantiles(name, share, ""))
                for share in (0.5, 0.95, 0.99)
            ],
            note,
        )
        for name, title, note in _TIMES.values()
        if name in table.family
    ]
    charts.append(_ends(table))
    return charts


def _ended(cells: Cells, causes: frozenset[str]) -> int:
    return sum(count for (_, reason), count in cells.reasons.items() if reason in causes)


def _gauge(stat: Stat, group: str = "") -> Callable[[Cells], float]:
    return lambda cells: cells.gauges[stat.name, group]


def _ends(table: Table) -> Chart:
    reasons = table.reasons("")
    shown, rest = reasons[: MOST_LINES - 1], frozenset(reasons[MOST_LINES - 1 :])

    def of(reason: str) -> Values:
        return table.rates(lambda cells: cells.reasons["", reason])

    lines = [Line(title_of(reason), of(reason)) for reason in shown]
    if rest:
        lines.append(Line("All others", table.rates(lambda cells: _ended(cells, rest))))
    title = "Failures" if "auth" not in table.family else "Ends of sessions"
    return Chart("ends", title, PER_SECOND, lines)


def compared(tables: Mapping[str, Table], names: Mapping[str, str]) -> list[Chart]:
    """Give charts with a line for each key.

    tables: by key; each is looked at in the group "" or, if it has none, in that of the key.
    """
    makers: list[tuple[str, str, str, Callable[[Table, str], Values]]] = [
        ("logins", "Good logins", PER_SECOND, lambda t, g: t.rates(t.counted("logins", g))),
        ("failed", "Failed logins", PER_SECOND, lambda t, g: t.rates(lambda c: c.failed(g))),
        ("sessions", "Sessions", COUNT, lambda t, g: t.levels(_gauge(t.family["sessions"], g))),
        ("octets", "Octets, both ways", BYTES, _octets),
    ]
    order = _busiest_first(tables)
    charts = [
        _chart(name, title, unit, {key: make(tables[key], key) for key in order}, names)
        for name, title, unit, make in makers
    ]
    for name, title, _ in _TIMES.values():
        lines = {
            key: tables[key].quantiles(name, 0.95, key)
            for key in order
            if name in tables[key].family
        }
        if lines or not tables:
            charts.append(_chart(name, f"{title}, p95", SECONDS, lines, names))
    return charts


def _busiest_first(tables: Mapping[str, Table]) -> list[str]:
    """Put keys into one order for all charts, so that each has the same colour everywhere."""

    def logins(key: str) -> float:
        rates = tables[key].rates(tables[key].counted("logins", key))
        return sum(value or 0.0 for value in rates)

    weights = {key: logins(key) for key in tables}
    return sorted(tables, key=lambda key: (-weights[key], key))


def _octets(table: Table, group: str) -> Values:
    front, back = table.counted("to_front", group), table.counted("to_back", group)
    return table.rates(lambda cells: front(cells) + back(cells))


def _chart(
    name: str, title: str, unit: str, lines: Mapping[str, Values], names: Mapping[str, str]
) -> Chart:
    order = list(lines)
    shown = [Line(names.get(key, key), lines[key], key) for key in order[:MOST_LINES]]
    rest = order[MOST_LINES:]
    if rest and unit != SECONDS:
        shown.append(Line(f"{len(rest)} others", _summed(lines[key] for key in rest)))
    note = f"The busiest {MOST_LINES} of {len(order)}." if rest and unit == SECONDS else ""
    return Chart(name, title, unit, shown, note)


def _summed(rows: Iterable[Values]) -> Values:
    total: Values = []
    for row in rows:
        total = [_plus(a, b) for a, b in zip(total or [None] * len(row), row, strict=True)]
    return total


def _plus(a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else a + b


def protocols(frames: Frames) -> dict[str, str]:
    """Give the protocol of each server block that ran, by its name."""
    known: dict[str, str] = {}
    for frame in frames:
        for name in frame.numbers.gauges if frame is not None else ():
            stat, labels = split_series(name)
            if stat is catalogue.SERVER_WORKERS:
                known[labels[0]] = labels[1]
    return known


def grouped(frames: Frames, lens: Lens) -> dict[str, Table]:
    """Give the groups there are, each with the table it is in."""
    table = Table(frames, lens)
    return dict.fromkeys(table.groups, table)
