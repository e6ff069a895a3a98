"""Who and what was most of all in the history of an hour, a day or a week.

The database groups the rows of a range of the index by time; of more than ``LOOKED_AT_MOST``, only
the newest are looked at.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import (
    BinaryField,
    Case,
    CharField,
    Count,
    F,
    FloatField,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Cast, Concat, Substr

from appliance.history import queries
from appliance.history.models import SessionRecord
from appliance.history.reading import packed

LOOKED_AT_MOST: Final = 200_000
"""Records. So many take 1.4 s in SQLite and 1 s in PostgreSQL, for the whole page on two cores."""
TOP: Final = 10
_REASONS: Final = 100
_PREFIX: Final = 8
"""Octets of an IPv6 address that stand for it: a /64 is one customer."""


@dataclass(frozen=True, slots=True)
class Span:
    """How far is looked back."""

    name: str
    title: str
    length: timedelta


DEFAULT: Final = "day"
SPANS: Final = {
    one.name: one
    for one in (
        Span("hour", "Last hour", timedelta(hours=1)),
        Span("day", "Last day", timedelta(days=1)),
        Span("week", "Last week", timedelta(days=7)),
    )
}


@dataclass(frozen=True, slots=True)
class Window:
    """What is looked at."""

    after: datetime
    until: datetime
    is_cut: bool
    """There is more in the span than may be looked at."""


@dataclass(frozen=True, slots=True)
class User:
    """What a user did."""

    account: str
    sessions: int
    octets: int


@dataclass(frozen=True, slots=True)
class Client:
    """What came from an address."""

    network: bytes
    """16 octets, or the first 8 of an IPv6 address."""
    sessions: int
    logged_in: int


@dataclass(frozen=True, slots=True)
class Failing:
    """An address or a user with failed logins."""

    who: Any
    """The network as in Client, or the account."""
    failed: int
    different: int
    """Users that the address tried, or networks that the user was tried from."""
    logged_in: int


def window(span: Span, now: datetime) -> Window:
    """Give what may be looked at of a span. Reads the index by time, nothing else."""
    begin = now - span.length
    newest = SessionRecord.objects.filter(ended_at__gt=begin, ended_at__lte=now)
    times = newest.order_by("-ended_at").values_list("ended_at", flat=True)
    cut = list(times[LOOKED_AT_MOST : LOOKED_AT_MOST + 1])
    return Window(cut[0] if cut else begin, now, bool(cut))


def users(looked_at: Window, order: str) -> list[User]:
    """Give the users with most of this, ``sessions`` or ``octets``, of sessions logged in."""
    found = (
        _rows(looked_at)
        .filter(~Q(account=""), queries.matching(queries.LOGGED_IN))
        .values(who=_ACCOUNT)
        .annotate(sessions=Count("pk"), octets=_octets("front") + _octets("back"))
        .order_by(f"-{order}", "who")
    )
    return [User(one["who"], one["sessions"], int(one["octets"])) for one in found[:TOP]]


def clients(looked_at: Window) -> list[Client]:
    """Give the addresses with most sessions, whatever became of them."""
    found = (
        _rows(looked_at)
        .filter(~Q(address=b""), attempt=0)
        .values(who=_network())
        .annotate(sessions=Count("pk"), logged_in=_logged_in())
        .order_by("-sessions", "who")
    )
    return [Client(bytes(one["who"]), one["sessions"], one["logged_in"]) for one in found[:TOP]]


def failing_clients(looked_at: Window) -> list[Failing]:
    """Give the addresses with most failed logins, and how many users each of them tried."""
    rows = _rows(looked_at).filter(~Q(address=b"")).values(who=_network())
    return [
        Failing(bytes(one["who"]), one["failed"], one["different"], one["logged_in"])
        for one in _most_failed(rows, F("account"))
    ]


def failing_users(looked_at: Window) -> list[Failing]:
    """Give the users with most failed logins, and from how many networks they were tried."""
    rows = _rows(looked_at).filter(~Q(account="")).values(who=_ACCOUNT)
    return [
        Failing(one["who"], one["failed"], one["different"], one["logged_in"])
        for one in _most_failed(rows, _network())
    ]


def tried_from(
    looked_at: Window, accounts: Iterable[str], networks: Iterable[bytes]
) -> frozenset[str]:
    """Give those of some accounts whose logins failed from some networks."""
    found = (
        _rows(looked_at)
        .filter(queries.matching(queries.REFUSED), account__in=list(accounts))
        .annotate(network=_network())
        .filter(network__in=list(networks))
    )
    return frozenset(found.values_list("account", flat=True).distinct())


def reasons(looked_at: Window) -> list[tuple[str, int]]:
    """Give why sessions ended, and how many, the most frequent first."""
    found = _rows(looked_at).filter(attempt=0).values("reason").annotate(sessions=Count("pk"))
    return [(one["reason"], one["sessions"]) for one in found.order_by("-sessions")[:_REASONS]]


def _rows(looked_at: Window) -> QuerySet[SessionRecord]:
    between = {"ended_at__gt": looked_at.after, "ended_at__lte": looked_at.until}
    return SessionRecord.objects.filter(**between)


def _most_failed(rows: QuerySet[Any, Any], other: Any) -> QuerySet[Any, Any]:
    failed = queries.matching(queries.REFUSED)
    found: QuerySet[Any, Any] = (
        rows.annotate(
            failed=Count("pk", filter=failed),
            different=Count(other, filter=failed, distinct=True),
            logged_in=_logged_in(),
        )
        .filter(failed__gt=0)
        .order_by("-failed", "who")
    )
    return found[:TOP]


# an expression, so that SQLite does not walk the whole index of accounts to have them in order
_ACCOUNT: Final = Concat(F("account"), Value(""), output_field=CharField())


def _network() -> Case:
    v4 = Q(address__gte=packed("0.0.0.0"), address__lte=packed("255.255.255.255"))  # noqa: S104  (not bound)
    v6 = Substr("address", 1, _PREFIX, output_field=BinaryField())
    return Case(When(v4, then=F("address")), default=v6, output_field=BinaryField())


def _logged_in() -> Count:
    return Count("pk", filter=queries.matching(queries.LOGGED_IN))


def _octets(leg: str) -> Sum:
    # not as an integer: SQLite refuses a sum that has no room
    return Sum(Cast(f"bytes_to_{leg}", FloatField()))
