"""Read the history: a page of what was searched, one session with its failed logins, accounts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Q, QuerySet

from appliance.history.models import Intake, LastLogin, SessionRecord
from appliance.history.reading import account_of
from appliance.lib.long_lists import beginning_with
from proxycore.contract.reasons import OF_BACKENDS, CloseReason

PAGE: Final = 50
EXPORTED_AT_MOST: Final = 100_000
_EXPORTED_AT_ONCE: Final = 1_000
_ATTEMPTS: Final = 100

LEFT: Final = (
    *(CloseReason.LOGIN_FAILED, CloseReason.CLIENT_CLOSED, CloseReason.CLIENT_QUIT),
    *(CloseReason.CLIENT_ERROR, CloseReason.CLIENT_TIMEOUT),
)
"""How sessions end whose logins were refused."""

EVERYTHING: Final = "everything"
LOGGED_IN: Final = "in"
REFUSED: Final = "refused"
BROKEN: Final = "broken"
VISITS: Final = "visits"

_gave_up: Final = Q(attempt=0, relay_ms=None, connect_ms=None, reason__in=LEFT)
"""Sessions that are told by their failed logins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is searched for; what is empty or None may be anything."""

    user: str = ""
    """A login in any case; with ``*`` at its end, all that begin so."""
    network: tuple[bytes, bytes] | None = None
    """First and last address, packed."""
    node: int | None = None
    backend: str = ""
    """How address and port of the mail server begin."""
    server: str = ""
    protocol: str = ""
    outcome: str = ""
    """One of the above, or a CloseReason. Empty: every login, by what became of it."""
    since: datetime | None = None
    until: datetime | None = None
    session: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One page, the newest first."""

    rows: list[SessionRecord]
    older: tuple[datetime, int] | None
    """Where the next page begins; None: this is the last."""


def page(search: Search, before: tuple[datetime, int] | None = None, size: int = PAGE) -> Page:
    """Give one page. Nothing is counted: a page costs the same wherever it is."""
    rows = list(_behind(find(search), before)[: size + 1])
    if len(rows) <= size:
        return Page(rows, None)
    return Page(rows[:size], (rows[size - 1].ended_at, rows[size - 1].pk))


def every(search: Search) -> Iterator[list[SessionRecord]]:
    """Give what is found in pieces, as much as may be exported."""
    before: tuple[datetime, int] | None = None
    for _ in range(EXPORTED_AT_MOST // _EXPORTED_AT_ONCE):
        found = page(search, before, _EXPORTED_AT_ONCE)
        yield found.rows
        before = found.older
        if before is None:
            return


def find(search: Search) -> QuerySet[SessionRecord]:
    """Give what a search finds, the newest first."""
    found = SessionRecord.objects.filter(matching(search.outcome))
    if search.user.endswith("*"):
        found = found.filter(beginning_with("account", account_of(search.user[:-1])))
    elif search.user:
        found = found.filter(account=account_of(search.user))
    if search.network is not None:
        first, last = search.network
        found = found.filter(address__gte=first, address__lte=last)
    for name in ("node", "server", "protocol", "session"):
        if value := getattr(search, name):
            found = found.filter(**{name: value})
    if search.backend:
        found = found.filter(backend__startswith=search.backend)
    if search.since is not None:
        found = found.filter(ended_at__gte=search.since)
    if search.until is not None:
        found = found.filter(ended_at__lt=search.until)
    return found.order_by("-ended_at", "-pk")


def matching(outcome: str) -> Q:
    """Give the condition of an outcome, as in ``Search``."""
    match outcome:
        case "":
            return ~Q(account="") & ~_gave_up
        case "everything":
            return Q()
        case "in":
            return Q(relay_ms__isnull=False)
        case "refused":
            return Q(attempt__gt=0) | Q(reason=CloseReason.BACKEND_REJECTED)
        case "broken":
            ended = (*LEFT, CloseReason.BACKEND_REJECTED)
            return Q(attempt=0, relay_ms=None) & ~Q(account="") & ~Q(reason__in=ended)
        case "visits":
            return Q(account="", attempt=0)
        case _:
            return Q(reason=outcome, attempt=0)


def _behind(
    found: QuerySet[SessionRecord], before: tuple[datetime, int] | None
) -> QuerySet[SessionRecord]:
    if before is None:
        return found
    at, pk = before
    # the first condition is what an index is entered by
    return found.filter(Q(ended_at__lte=at), Q(ended_at__lt=at) | Q(pk__lt=pk))


def attempts_of(record: SessionRecord) -> list[SessionRecord]:
    """Give the failed logins of a session, in order."""
    same = SessionRecord.objects.filter(session=record.session, node=record.node, attempt__gt=0)
    return list(same.order_by("attempt")[:_ATTEMPTS])


def session_of(record: SessionRecord) -> SessionRecord | None:
    """Give the session of a failed login; None while it is open, or when it is forgotten."""
    same = SessionRecord.objects.filter(session=record.session, node=record.node, attempt=0)
    return same.first()


def failures_at(backends: Iterable[str], since: datetime, most: int) -> list[SessionRecord]:
    """Give the newest sessions that came to nothing at one of these mail servers."""
    found = SessionRecord.objects.filter(
        attempt=0, ended_at__gte=since, backend__in=list(backends), reason__in=OF_BACKENDS
    )
    return list(found.order_by("-ended_at", "-pk")[:most])


def last_sessions(logins: Iterable[str], most: int) -> list[SessionRecord]:
    """Give the newest sessions and failed logins of an account, by all it is called."""
    accounts = [account_of(login) for login in logins]
    found = SessionRecord.objects.filter(~_gave_up, account__in=accounts)
    return list(found.order_by("-ended_at", "-pk")[:most])


def last_logins(logins: Iterable[str]) -> dict[str, LastLogin]:
    """Give the last login of each account that has one, by login as it is stored here."""
    return LastLogin.objects.in_bulk([account_of(login) for login in logins])


def intake() -> list[Intake]:
    """Give what has arrived of each node."""
    return list(Intake.objects.order_by("node"))
