"""A node's totals as two small tables: by server block, and by cause of the end."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from django.template.defaultfilters import filesizeformat

from proxycore.contract.reasons import EXPLANATIONS, CloseReason
from proxycore.contract.stats import CATALOGUE, SESSIONS_CLOSED, Stat, parse_series


@dataclass(frozen=True, slots=True)
class Table:
    """What the node page shows."""

    servers: list[str]
    rows: list[tuple[str, list[str], str]]
    """Meaning of a stat, its value per server block, and the sum."""
    reasons: list[tuple[str, str, int]]
    """Reason, its explanation, sessions that ended for it; most frequent first."""


def tabulate(values: Mapping[str, int]) -> Table:
    """Arrange totals by series name for people."""
    shown = {name: stat for name, stat in CATALOGUE.items() if _is_shown(stat)}
    by_stat: dict[str, Counter[str]] = {name: Counter() for name in shown}
    reasons: Counter[str] = Counter()
    for name, value in values.items():
        stat, labels = parse_series(name)
        if stat.name not in shown:
            continue
        by_stat[stat.name][labels.get("server", "")] += value
        if stat is SESSIONS_CLOSED:
            reasons[labels["reason"]] += value
    servers = sorted({server for counts in by_stat.values() for server in counts} - {""})
    return Table(
        servers=servers,
        rows=[
            (
                stat.help.removesuffix("."),
                [_shown(stat, counts.get(server)) for server in servers],
                _shown(stat, counts.total()),
            )
            for stat, counts in ((shown[name], counts) for name, counts in by_stat.items())
        ],
        reasons=[(reason, _explain(reason), count) for reason, count in reasons.most_common()],
    )


def _is_shown(stat: Stat) -> bool:
    """Tell whether it has a row: what is of mail servers, and times, are on the charts."""
    return not stat.histogram and "backend" not in stat.labels and "protocol" not in stat.labels


def _shown(stat: Stat, value: int | None) -> str:
    if value is None:
        return ""
    return filesizeformat(value) if stat.unit == "bytes" else f"{value:,}"


def _explain(reason: str) -> str:
    try:
        return EXPLANATIONS[CloseReason(reason)].replace("`", "")
    except ValueError:
        return ""
