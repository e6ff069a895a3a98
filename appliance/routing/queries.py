"""Read routing: the generation, an account, the routes that can matter for a login."""

from collections.abc import Iterable
from operator import attrgetter
from typing import Any, Final

from django.db import connection
from django.db.models import Q, QuerySet

from appliance.routing import reach
from appliance.routing.choices import MatchKind
from appliance.routing.models import (
    Account,
    Change,
    DomainAlias,
    Generation,
    MailHost,
    Route,
)
from appliance.routing.prepared import Prepared, moment
from appliance.routing.rules import Login
from proxycore.contract.messages import MAX_LOGINS
from proxycore.contract.protocol import Protocol

GENERATION_ROW: Final = 1

KEPT_GENERATIONS: Final = 1_000
"""Of so many it is kept whom they concerned: nodes are told within a second, or were away long."""

_HOST: Final = (
    *("id", "name", "address", "imap_port", "pop3_port", "smtp_port"),
    *("imap_tls", "pop3_tls", "smtp_tls", "tls_name", "state", "weight"),
    *("hold", "use_health", "found_down"),
)
_SWITCHES: Final = ("enabled", "imap_enabled", "pop3_enabled", "smtp_enabled")
_ACCOUNT: Final = (
    "id",
    "login",
    *_SWITCHES,
    "networks",
    "password_hash",
    "verifier_id",
    "mail_host_id",
    "back_login",
    "epoch",
)
_ROUTE: Final = (
    *("id", "position", "match", "value", "mail_host_id", "percent", "starts_at", "ends_at"),
    *("action", "rewrite", "rewrite_to", "is_spread"),
)
_LOOKED_THROUGH: Final = 20_000
"""Routes that are looked through for one that is never reached."""
_OPEN: Final = (MatchKind.PREFIX, MatchKind.LETTERS, MatchKind.PATTERN, MatchKind.DEFAULT)
"""Kinds that only we can compare."""
_HOST_BESIDE: Final = tuple(f"mail_host__{name}" for name in _HOST)


def generation() -> int:
    """Give the number that grows with every change of hosts, accounts or routes."""
    number = Generation.objects.filter(pk=GENERATION_ROW).values_list("number", flat=True).first()
    return number or 0


def changed_logins(since: int, until: int) -> tuple[str, ...] | None:
    """Give whom the generations after ``since`` up to ``until`` concerned.

    None: everybody, too many, or it is not known any more.
    """
    if not 0 <= since < until <= since + KEPT_GENERATIONS:
        return None
    wanted = Change.objects.filter(generation__gt=since, generation__lte=until)
    rows = list(wanted.values_list("generation", "login")[: MAX_LOGINS + 1])
    if len(rows) > MAX_LOGINS or len({number for number, _ in rows}) != until - since:
        return None
    return tuple(sorted({login for _, login in rows}))


def find_account(login: Login) -> tuple[Login, Account | None]:
    """Give the account of a login with its fixed mail host, in one query.

    A login of an alias domain is given back as one of the domain that it stands for.
    """
    user, at, domain = login.user.rpartition("@")
    with connection.cursor() as cursor:
        cursor.execute(_ACCOUNT_OF, [domain if at else "", user + at, login.user])
        row = cursor.fetchone()
    target, found = row[0], row[1 : 1 + len(_ACCOUNT)]
    if target is not None:
        login = login.under(target)
    if found[0] is None:
        return login, None
    account = Account.from_db("default", _ACCOUNT, found)
    for name in _SWITCHES:  # numbers, in SQLite
        setattr(account, name, bool(getattr(account, name)))
    account.mail_host = _host(row[1 + len(_ACCOUNT) :])
    return login, account


def candidates(login: Login, protocol: Protocol) -> list[Route]:
    """Give the enabled routes that may fit, in order, in one query.

    Exact users and domains, of which there can be very many, are compared by the database.
    """
    routes = []
    for row in _routes_for.rows(user=login.user, domain=login.domain, protocol=protocol.value):
        route = Route.from_db("default", _ROUTE, row[: len(_ROUTE)])
        if route.starts_at is not None or route.ends_at is not None:
            route.starts_at, route.ends_at = moment(route.starts_at), moment(route.ends_at)
        host = _host(row[len(_ROUTE) :])
        assert host is not None  # a route always has one
        route.mail_host = host
        routes.append(route)
    # sorted here: told to sort, SQLite reads the whole table in the order of the positions
    return sorted(routes, key=attrgetter("position", "pk"))


def shares(route_pk: int) -> list[MailHost]:
    """Give the further mail hosts of a route."""
    return list(MailHost.objects.filter(shares__route=route_pk).order_by("pk"))


def alias_logins(logins: Iterable[str]) -> set[str]:
    """Give these logins with all that alias domains make of them."""
    found = set(logins)
    by_domain: dict[str, list[str]] = {}
    for login in found:
        user, at, domain = login.rpartition("@")
        if at:
            by_domain.setdefault(domain, []).append(user)
    aliases = DomainAlias.objects.filter(target__in=list(by_domain))
    for domain, target in aliases.values_list("domain", "target"):
        found.update(f"{user}@{domain}" for user in by_domain[target])
    return found


def unreachable() -> dict[int, Route]:
    """Give by primary key of each route that is never reached the one that goes before it.

    Of very many routes, for which looking at each before each page would take long, none is given.
    """
    if Route.objects.order_by()[: _LOOKED_THROUGH + 1].count() > _LOOKED_THROUGH:
        return {}
    return reach.unreachable(Route.objects.order_by("position", "pk"))


def _host(row: tuple[Any, ...]) -> MailHost | None:
    return MailHost.from_db("default", _HOST, row) if row[0] is not None else None


def _select_routes(user: str, domain: str, protocol: str) -> "QuerySet[Route, Any]":
    fitting = Route.objects.filter(
        Q(match=MatchKind.USER, value=user)
        | Q(match=MatchKind.DOMAIN, value=domain)
        | Q(match__in=(*_OPEN,)),
        protocol__in=("", protocol),
        enabled=True,
    )
    return fitting.order_by().values_list(*_ROUTE, *_HOST_BESIDE)


_ACCOUNT_OF: Final = (
    # names of columns only; what a client sends is a parameter
    f"SELECT d.target, {', '.join('a.' + name for name in _ACCOUNT)},"  # noqa: S608
    f" {', '.join('h.' + name for name in _HOST)} FROM (SELECT 1 AS one) AS o"
    " LEFT JOIN routing_domainalias AS d ON d.domain = %s"
    " LEFT JOIN routing_account AS a ON a.login = COALESCE(%s || d.target, %s)"
    " LEFT JOIN routing_mailhost AS h ON h.id = a.mail_host_id"
)
"""Alias domain and account in one statement, which the ORM has no words for. It always gives one
row: the join begins with a constant, and what is not there is NULL."""

_routes_for: Final = Prepared(_select_routes, "user", "domain", "protocol")
