"""What the page of sessions before login shows: what nodes said of them a moment ago (ADR-0038)."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from appliance.fleet import queries, search
from appliance.fleet.choices import NodeState, WaitingState
from appliance.fleet.services import waiting
from proxycore.contract.messages import MOST_WAITING

PAGE_SIZE: Final = 50
MOST_ROWS: Final = 2_000
"""Sessions described of all nodes together; each node tells of its part."""
LEAST_ROWS: Final = 50
"""Sessions described of one node at least, however many nodes there are."""
TOP_ADDRESSES: Final = 10

Row = Mapping[str, Any]

_ORDER: Final = {state.value: number for number, state in enumerate(WaitingState)}

SORTS: Final[Mapping[str, Callable[[Row], Any]]] = {
    "user": lambda row: row["user"].casefold(),
    "protocol": lambda row: row["protocol"],
    "tls": lambda row: row["tls"],
    "client": lambda row: search.address_key(row["client"]),
    "backend": lambda row: row["backend"],
    "node": lambda row: row["node"],
    "state": lambda row: _ORDER[row["standing"]],
    "age": lambda row: -row["started_at"],
}
"""What the page may sort by; an older session has the greater age."""

COLUMNS: Final = (
    ("user", "Login", ""),
    ("protocol", "Protocol", ""),
    ("tls", "TLS", ""),
    ("client", "Client", ""),
    ("state", "State", ""),
    ("backend", "Mail server", ""),
    ("node", "Node", ""),
    ("age", "Age", "live-number"),
)
"""The page's columns: key of SORTS, title, class of the cell."""

_TEXTS: Final = {
    "user": "user",
    "server": "backend",
    "node": "node",
    "group": "group",
    "block": "block",
    "listener": "listen",
    "protocol": "protocol",
    "tls": "tls",
}
_WORDS: Final = ("user", "client", "backend", "block", "listen", "node")


@dataclass(frozen=True, slots=True)
class View:
    """What an operator looks at."""

    search: str = ""
    sort: str = "age"
    descending: bool = True
    page: int = 1

    @classmethod
    def from_frame(cls, plain: Mapping[str, Any]) -> "View":
        """Read a view. Whatever makes no sense is taken as not said."""
        text, sort, page = plain.get("search"), plain.get("sort"), plain.get("page")
        return cls(
            search=text[: search.MAX_CHARS] if isinstance(text, str) else "",
            sort=sort if isinstance(sort, str) and sort in SORTS else "age",
            descending=plain.get("descending") is not False,
            page=page if type(page) is int and 1 <= page <= 1_000_000 else 1,
        )


def rows_per_node(nodes: int) -> int:
    """Give how many sessions each node is to describe."""
    return max(LEAST_ROWS, min(MOST_WAITING, MOST_ROWS // max(1, nodes)))


def page(view: View, now: datetime) -> dict[str, Any]:
    """Give one page of sessions as plain data, with what is said of all of them."""
    statuses = [
        (node, status)
        for node, status in queries.statuses(now)
        if status.state is not NodeState.REVOKED
    ]
    told = waiting.answers([node.pk for node, _ in statuses])
    places = {node.pk: {"node": node.name, "group": node.group_name} for node, _ in statuses}
    rows = [{**row, **places[node_id]} for node_id, one in told.items() for row in one["sessions"]]
    fits = matcher(view.search, now)
    found = [row for row in rows if fits(row)]
    found.sort(key=lambda row: row["id"])
    found.sort(key=SORTS[view.sort], reverse=view.descending)
    pages = max(1, -(-len(found) // PAGE_SIZE))
    number = min(view.page, pages)
    start = (number - 1) * PAGE_SIZE
    return {
        "rows": [_shown(row) for row in found[start : start + PAGE_SIZE]],
        "matching": len(found),
        "described": len(rows),
        "total": sum(one["total"] for one in told.values()),
        "page": number,
        "pages": pages,
        "page_size": PAGE_SIZE,
        "states": _states(told.values()),
        "addresses": _addresses(told.values()),
        "nodes": [_node(node.name, status, told.get(node.pk)) for node, status in statuses],
    }


def matcher(text: str, now: datetime) -> Callable[[Row], bool]:
    """Give what tells whether a search finds a session; what makes no sense finds none."""
    terms = search.terms(text)
    if terms is None:
        return lambda _: False
    tests = [_test(term, now) for term in terms]
    return lambda row: all(test(row) for test in tests)


def _test(term: search.Term, now: datetime) -> Callable[[Row], bool]:
    name, whole, value = term
    low = value.lower()
    if not name:
        return _word(value)
    if name == "tls" and low == "none":
        return lambda row: not row["tls"]
    if name in _TEXTS:
        field = _TEXTS[name]
        if whole:
            return lambda row: row[field].lower() == low
        return lambda row: low in row[field].lower()
    if name == "client":
        return _client(value, whole=whole)
    if name == "state":
        return lambda row: row["standing"] == low
    age_s = search.seconds(value) if name in ("older", "newer") else None
    if age_s is None:
        return lambda _: False
    born = now.timestamp() - age_s
    return lambda row: (row["started_at"] <= born) == (name == "older")


def _word(value: str) -> Callable[[Row], bool]:
    inside = _inside(value) if "/" in value else None
    if inside is not None:
        return inside
    low = value.lower()
    return lambda row: (
        low in (row["protocol"].lower(), row["tls"].lower(), row["standing"])
        or any(low in row[field].lower() for field in _WORDS)
    )


def _client(value: str, *, whole: bool) -> Callable[[Row], bool]:
    inside = _inside(value) if whole or "/" in value else None
    if inside is not None:
        return inside
    if "/" in value:
        return lambda _: False
    low = value.lower()
    return lambda row: row["client"] == value if whole else low in row["client"].lower()


def _inside(value: str) -> Callable[[Row], bool] | None:
    keys = search.network_keys(value)
    if keys is None:
        return None
    first, last = keys
    return lambda row: first <= search.address_key(row["client"]) <= last


def _states(told: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    counts: Counter[str] = Counter()
    for one in told:
        counts.update(one["by_standing"])
    return [
        {"state": state.value, "text": str(state.label), "count": counts[state.value]}
        for state in WaitingState
        if counts[state.value]
    ]


def _addresses(told: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    counts: Counter[str] = Counter()
    for one in told:
        counts.update(one["by_address"])
    most = sorted(counts.items(), key=lambda item: (-item[1], search.address_key(item[0])))
    return [{"address": address, "count": count} for address, count in most[:TOP_ADDRESSES]]


def _node(name: str, status: queries.Status, told: Mapping[str, Any] | None) -> dict[str, Any]:
    """Say what a node answered, or why it does not."""
    note = ""
    if told is None:
        note = status.text if status.state is NodeState.SILENT else "no answer yet"
    elif told["mute"]:
        note = "not all of its workers answered"
    return {"name": name, "count": None if told is None else told["total"], "note": note}


def _shown(row: Row) -> dict[str, Any]:
    return {**row, "state_text": str(WaitingState(row["standing"]).label)}
