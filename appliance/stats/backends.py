"""What nodes counted of mail servers in the last minutes: their health as logins find it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from appliance.stats.levels import LENGTH, Level, floor
from appliance.stats.models import RollUp
from appliance.stats.numbers import Numbers, unpack
from appliance.stats.rolling import ALL_NODES
from proxycore.contract.reasons import CloseReason
from proxycore.contract.stats import (
    BACKEND_CONNECT_TIME,
    BACKEND_FAILURES,
    BACKEND_LOGIN_TIME,
    BACKEND_LOGINS,
    quantile_s,
    series,
    split_series,
)

SPAN: Final = timedelta(minutes=5)

_USERS_FAULT: Final = CloseReason.BACKEND_REJECTED.value
"""The mail server is well, it did not like the password."""


@dataclass(slots=True)
class Lately:
    """What became of logins at one mail server."""

    logins: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    """By reason."""
    connect_p50_s: float | None = None
    connect_p95_s: float | None = None
    login_p95_s: float | None = None

    @property
    def failed(self) -> int:
        """Count all failures. For pages: a template would look ``total`` up as a reason."""
        return self.failures.total()

    @property
    def broken(self) -> int:
        """Count the failures that are not the users'."""
        return self.failed - self.failures[_USERS_FAULT]

    @property
    def worst(self) -> str:
        """Give the most frequent reason that is not the users' fault."""
        others = Counter(self.failures)
        del others[_USERS_FAULT]
        return next((reason for reason, _ in others.most_common(1)), "")


def lately(now: datetime) -> Mapping[str, Lately]:
    """Give all mail servers of the last five minutes that are complete, by ``address:port``."""
    return _read([data for _, data in _rows(now, by_node=False)])


def lately_by_node(now: datetime) -> Mapping[int, Mapping[str, Lately]]:
    """Give the same of each node that counted something, by its id."""
    by_node: dict[int, list[bytes]] = {}
    for node, data in _rows(now, by_node=True):
        by_node.setdefault(node, []).append(data)
    return {node: _read(rows) for node, rows in by_node.items()}


def _rows(now: datetime, *, by_node: bool) -> list[tuple[int, bytes]]:
    end = floor(Level.MINUTE, now)
    rows = RollUp.objects.filter(level=Level.MINUTE, start__gte=end - SPAN - LENGTH[Level.MINUTE])
    chosen = rows.exclude(node=ALL_NODES) if by_node else rows.filter(node=ALL_NODES)
    return [(node, bytes(data)) for node, data in chosen.values_list("node", "data")]


def _read(rows: Iterable[bytes]) -> dict[str, Lately]:
    numbers = Numbers()
    for data in rows:
        numbers.add(unpack(data))
    found: dict[str, Lately] = {}
    for name, count in numbers.counts.items():
        stat, labels = split_series(name)
        if stat is BACKEND_LOGINS:
            found.setdefault(labels[0], Lately()).logins += count
        elif stat is BACKEND_FAILURES:
            found.setdefault(labels[0], Lately()).failures[labels[1]] += count
    for backend, one in found.items():
        connect = numbers.histograms.get(series(BACKEND_CONNECT_TIME, backend))
        login = numbers.histograms.get(series(BACKEND_LOGIN_TIME, backend))
        one.connect_p50_s = quantile_s(connect, 0.5) if connect else None
        one.connect_p95_s = quantile_s(connect, 0.95) if connect else None
        one.login_p95_s = quantile_s(login, 0.95) if login else None
    return found
