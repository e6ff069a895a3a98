"""The top lists as people read them: rows with a bar and a link to the search."""

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from django.template.defaultfilters import filesizeformat
from django.urls import reverse

from appliance.history import causes, queries, tops
from appliance.history.reading import shown_address
from proxycore.contract.reasons import CloseReason

_MANY: Final = 5
"""Users of one address, or addresses of one user, from which on it looks like guessing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What failed logins look like."""

    text: str
    tone: str
    title: str


GUESSING: Final = Verdict("Guessing", "danger", "Many were tried and nobody got in.")
GUESSED: Final = Verdict(
    "Guessing", "danger", "Tried from an address that guesses the passwords of many users."
)
MIXED: Final = Verdict(
    "Guessing?", "warning", "Many were tried and some got in: many people, or a guesser who found."
)
FORGOTTEN: Final = Verdict(
    "Old password?", "info", "One user from one place: a mail program with an old password, likely."
)


@dataclass(frozen=True, slots=True)
class Row:
    """One of a list."""

    name: str
    link: str
    """Empty: the search cannot ask for it."""
    cells: tuple[str, ...]
    share: float
    """Of the first in the list, in percent."""
    title: str = ""
    tone: str = ""
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class TopList:
    """A list of the page."""

    key: str
    title: str
    note: str
    columns: tuple[str, ...]
    rows: list[Row]
    nothing: str
    is_failures: bool = False


def lists(looked_at: tops.Window) -> list[TopList]:
    """Give all lists, in the order in which they stand."""
    link = _Links(looked_at)
    clients = tops.failing_clients(looked_at)
    return [
        _failing_clients(clients, link),
        _failing_users(looked_at, clients, link),
        _users(looked_at, link, "sessions", "Users by sessions"),
        _users(looked_at, link, "octets", "Users by traffic"),
        _clients(looked_at, link),
        _reasons(looked_at, link),
    ]


class _Links:
    """Links to the search; it knows days only, so they reach back to the day's begin."""

    def __init__(self, looked_at: tops.Window) -> None:
        self._since = looked_at.after.date().isoformat()
        self._address = reverse("admin:history_sessionrecord_changelist")

    def __call__(self, **asked: str) -> str:
        return f"{self._address}?{urlencode({**asked, 'since': self._since})}"

    def user(self, account: str, outcome: str) -> str:
        if account != account.strip("*"):
            return ""  # would be taken for all that begin so
        return self(user=account, outcome=outcome)


def network_name(network: bytes) -> str:
    """Give an IPv4 address, or an IPv6 network, as people write it."""
    if len(network) == 16:
        return shown_address(network)
    return str(ipaddress.IPv6Network((network.ljust(16, b"\0"), len(network) * 8)))


def _failing_clients(found: list[tops.Failing], link: _Links) -> TopList:
    rows = []
    for one in found:
        name = network_name(one.who)
        to = link(address=name, outcome=queries.REFUSED)
        rows.append(_failing(one, name, to, found[0].failed, verdict(one)))
    return TopList(
        "failing-clients",
        "Addresses with most failed logins",
        "Users: how many different ones were tried.",
        ("Users", "Logged in", "Failed"),
        rows,
        "No login has failed.",
        is_failures=True,
    )


def _failing_users(looked_at: tops.Window, clients: list[tops.Failing], link: _Links) -> TopList:
    found = tops.failing_users(looked_at)
    guessers = [one.who for one in clients if verdict(one) is GUESSING]
    guessed = tops.tried_from(looked_at, [one.who for one in found], guessers)
    rows = [
        _failing(
            one,
            one.who,
            link.user(one.who, queries.REFUSED),
            found[0].failed,
            GUESSED if one.who in guessed else verdict(one),
        )
        for one in found
    ]
    return TopList(
        "failing-users",
        "Users with most failed logins",
        "Addresses: from how many different ones.",
        ("Addresses", "Logged in", "Failed"),
        rows,
        "No login has failed.",
        is_failures=True,
    )


def _failing(one: tops.Failing, name: str, link: str, most: int, looks: Verdict | None) -> Row:
    cells = _numbers(one.different, one.logged_in, one.failed)
    return Row(name, link, cells, _share(one.failed, most), verdict=looks)


def verdict(one: tops.Failing) -> Verdict | None:
    """Say what failed logins look like; None: like nothing in particular."""
    if one.different >= _MANY:
        return MIXED if one.logged_in else GUESSING
    return FORGOTTEN if one.different == 1 and one.failed > 1 else None


def _users(looked_at: tops.Window, link: _Links, order: str, title: str) -> TopList:
    found = tops.users(looked_at, order)
    by_octets = order == "octets"
    rows = []
    for one in found:
        cells = [f"{one.sessions:,}", str(filesizeformat(one.octets))]
        share = _share(getattr(one, order), getattr(found[0], order))
        to = link.user(one.account, queries.LOGGED_IN)
        rows.append(Row(one.account, to, tuple(cells if by_octets else cells[::-1]), share))
    return TopList(
        f"users-{order}",
        title,
        "Mail read and sent, both ways." if by_octets else "Sessions that logged in.",
        ("Sessions", "Bytes") if by_octets else ("Bytes", "Sessions"),
        rows,
        "Nobody has logged in.",
    )


def _clients(looked_at: tops.Window, link: _Links) -> TopList:
    found = tops.clients(looked_at)
    rows = []
    for one in found:
        name = network_name(one.network)
        to = link(address=name, outcome=queries.EVERYTHING)
        cells = _numbers(one.logged_in, one.sessions)
        rows.append(Row(name, to, cells, _share(one.sessions, found[0].sessions)))
    return TopList(
        "clients",
        "Addresses by sessions",
        "Whether they logged in or not.",
        ("Logged in", "Sessions"),
        rows,
        "Nobody has connected.",
    )


def _reasons(looked_at: tops.Window, link: _Links) -> TopList:
    found = tops.reasons(looked_at)
    total = sum(count for _, count in found)
    known = frozenset(CloseReason)
    rows = [
        Row(
            causes.title(reason),
            link(outcome=reason) if reason in known else "",
            (f"{100 * count / total:.1f} %", f"{count:,}"),
            _share(count, found[0][1]),
            causes.meaning(reason),
            causes.tone(reason),
        )
        for reason, count in found[: tops.TOP]
    ]
    return TopList(
        "reasons",
        "Why sessions ended",
        "Of all sessions, logged in or not.",
        ("Share", "Sessions"),
        rows,
        "No session has ended.",
    )


def _numbers(*counts: int) -> tuple[str, ...]:
    return tuple(f"{one:,}" for one in counts)


def _share(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0
