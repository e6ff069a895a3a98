"""What the CSV files of accounts and routes hold, and how a line becomes an object."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db.models import Manager, Q

from appliance.routing import rules, services
from appliance.routing.choices import LoginRewrite, MailProtocol, MatchKind, RouteAction
from appliance.routing.models import (
    MAX_LOGIN_CHARS,
    Account,
    MailHost,
    Route,
    RouteShare,
    Verifier,
)
from appliance.routing.transfer import cells
from proxycore.contract.secret import Secret

Line = Mapping[str, str]

MAX_POSITION: Final = 1_000_000


class BadCell(Exception):
    """A cell that cannot be taken: field and reason."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


@dataclass(frozen=True, slots=True)
class Names:
    """What lines may refer to, looked up once."""

    hosts: Mapping[str, MailHost]
    verifiers: Mapping[str, Verifier]

    @classmethod
    def read(cls) -> "Names":
        """Read them."""
        return cls(
            {one.name: one for one in MailHost.objects.all()},
            {one.name: one for one in Verifier.objects.all()},
        )


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of file."""

    kind: str
    title: str
    columns: tuple[str, ...]
    needed: tuple[str, ...]
    key: Callable[[Any], tuple[Any, ...]]
    """What makes a line about the same object as another."""
    key_of_line: Callable[[Line], tuple[str, ...]]
    """The same, of a line that may be wrong."""
    find: Callable[[Iterable[Any]], Iterator[Any]]
    """Gives the stored objects that these lines are about."""
    make: Callable[[], Any]
    fill: Callable[[Any, Line, Names], None]
    """Fills an object from a line; raises BadCell. Columns that are missing change nothing."""
    line_of: Callable[[Any], list[str]]
    after: Callable[[Any, int], list[Any]]
    """Gives so many stored objects behind one, in the order of the file; None: from the first."""
    rows: "Manager[Any]"
    written: tuple[str, ...]
    """Columns of the database that a line can change."""
    beside: tuple[str, ...] = ()
    """Attributes that a line can change and ``finish`` writes."""
    finish: Callable[[list[Any]], None] = lambda _: None
    """Writes what belongs to objects that have just been written."""


_OTHERS: Final = "more_mail_hosts"

_SWITCHES: Final = {
    "enabled": "enabled",
    "imap": "imap_enabled",
    "pop3": "pop3_enabled",
    "smtp": "smtp_enabled",
}


def _fill_account(account: Account, line: Line, names: Names) -> None:
    account.login = line["login"]
    for column, name in _SWITCHES.items():
        if line.get(column, ""):
            setattr(account, name, _read(column, cells.read_switch, line[column]))
    for column in ("networks", "back_login"):
        if column in line:
            setattr(account, column, line[column])
    if "mail_host" in line:
        account.mail_host = _named("mail_host", names.hosts, line["mail_host"])
    if "verifier" in line:
        account.verifier = _named("verifier", names.verifiers, line["verifier"])
    _check(lambda: services.normalise_account(account))
    if not account.login:
        raise BadCell("login", "There is none.")
    _check_lengths(account, ("login", "networks", "back_login"))
    if line.get("password_hash"):
        given = Secret(line["password_hash"])
        _check(lambda: setattr(account, "password_hash", services.read_hash(given)))


def _fill_route(route: Route, line: Line, names: Names) -> None:
    route.match = _choice("match", MatchKind.values, line["match"])
    route.value = line.get("value", "")
    route.position = _read("position", cells.read_number, line["position"])
    if not 1 <= route.position <= MAX_POSITION:
        raise BadCell("position", f"Give a number from 1 to {MAX_POSITION}.")
    route.protocol = _choice("protocol", ["", *MailProtocol.values], line.get("protocol", ""))
    host = _named("mail_host", names.hosts, line["mail_host"])
    if host is None:
        raise BadCell("mail_host", "There is none.")
    route.mail_host = host
    _fill_others(route, names, line.get(_OTHERS))
    if line.get("enabled"):
        route.enabled = _read("enabled", cells.read_switch, line["enabled"])
    if line.get("percent"):
        route.percent = _read("percent", cells.read_number, line["percent"])
        if not 1 <= route.percent <= 100:
            raise BadCell("percent", "Give a number from 1 to 100.")
    for column, name in (("from", "starts_at"), ("until", "ends_at")):
        if column in line:
            setattr(route, name, _read(column, cells.read_moment, line[column]))
    if line.get("action"):
        route.action = _choice("action", RouteAction.values, line["action"])
    if "rewrite" in line:
        route.rewrite = _choice("rewrite", LoginRewrite.values, line["rewrite"])
    route.rewrite_to = line.get("rewrite_to", route.rewrite_to)
    _check(lambda: services.normalise(route))
    _check_lengths(route, ("value", "rewrite_to"))


def _fill_others(route: Route, names: Names, text: str | None) -> None:
    """Take the names of more mail hosts, with semicolons between; None leaves those there are."""
    if text is None:
        return
    found = [_named(_OTHERS, names.hosts, name) for name in text.split(";") if name.strip()]
    others = {one.pk for one in found} - {route.mail_host_id}
    route.is_spread = bool(others)
    route.other_pks = tuple(sorted(others))  # type: ignore[attr-defined]


def _read(column: str, reader: Callable[[str], Any], text: str) -> Any:
    try:
        return reader(text)
    except ValueError as fault:
        raise BadCell(column, str(fault)) from None


def _choice(column: str, values: list[Any], text: str) -> str:
    folded = text.strip().lower()
    if folded not in values:
        raise BadCell(column, f"Write one of: {', '.join(one or '(blank)' for one in values)}.")
    return folded


def _named(column: str, known: Mapping[str, Any], text: str) -> Any:
    name = text.strip()
    if name and name not in known:
        raise BadCell(column, f"There is no “{name[:100]}”.")
    return known.get(name)


def _check(normalise: Callable[[], None]) -> None:
    try:
        normalise()
    except ValidationError as fault:
        name, errors = next(iter(fault.error_dict.items()))
        column = {"imported_hash": "password_hash", "ends_at": "until"}.get(name, name)
        raise BadCell(column, " ".join(errors[0].messages)) from None


def _check_lengths(one: Account | Route, names: Iterable[str]) -> None:
    for name in names:
        if len(getattr(one, name)) > _MOST[name]:
            raise BadCell(name, f"It has {_MOST[name]} characters at most.")


_MOST: Final = {
    **dict.fromkeys(("login", "back_login", "value", "rewrite_to"), MAX_LOGIN_CHARS),
    "networks": 1000,
}


def _line_of_account(one: Account) -> list[str]:
    return [
        one.login,
        *(cells.write_switch(getattr(one, name)) for name in _SWITCHES.values()),
        one.networks,
        one.mail_host.name if one.mail_host else "",
        one.back_login,
        one.verifier.name if one.verifier else "",
        "",
    ]


def _line_of_route(one: Route) -> list[str]:
    others = [share.mail_host.name for share in one.shares.all()] if one.is_spread else []
    return [
        *(str(one.position), one.match, one.value, one.protocol, one.mail_host.name),
        "; ".join(others),
        *(cells.write_switch(one.enabled), str(one.percent)),
        *(cells.write_moment(one.starts_at), cells.write_moment(one.ends_at)),
        *(one.action, one.rewrite, one.rewrite_to),
    ]


def _key_of_account_line(line: Line) -> tuple[str, ...]:
    return (services.normalise_login(line["login"]),)


def _key_of_route_line(line: Line) -> tuple[str, ...]:
    match, value = line["match"].strip().lower(), line.get("value", "")
    try:
        value = rules.normalise(match, value)
    except ValueError:
        value = value.strip()
    position = line["position"].strip().lstrip("0")
    return (position, match, value, line.get("protocol", "").strip().lower())


def _find_accounts(given: Iterable[Account]) -> Iterator[Account]:
    found = Account.objects.filter(login__in=[one.login for one in given])
    yield from found.select_related("mail_host", "verifier")


def _find_routes(given: Iterable[Route]) -> Iterator[Route]:
    positions = {one.position for one in given}
    values = {one.value for one in given}
    found = Route.objects.filter(position__in=positions, value__in=values)
    for one in found.select_related("mail_host").prefetch_related("shares"):
        one.other_pks = tuple(sorted(share.mail_host_id for share in one.shares.all()))  # type: ignore[attr-defined]
        yield one


def _accounts_after(last: Account | None, count: int) -> list[Account]:
    found = Account.objects.select_related("mail_host", "verifier").order_by("login")
    return list((found.filter(login__gt=last.login) if last else found)[:count])


def _routes_after(last: Route | None, count: int) -> list[Route]:
    found = Route.objects.select_related("mail_host").prefetch_related("shares__mail_host")
    if last is not None:
        same = Q(position=last.position, pk__gt=last.pk)
        found = found.filter(Q(position__gt=last.position) | same, position__gte=last.position)
    return list(found.order_by("position", "pk")[:count])


def _write_others(routes: list[Route]) -> None:
    """Write the further mail hosts of routes that a line said some of."""
    said = [one for one in routes if hasattr(one, "other_pks")]
    RouteShare.objects.filter(route__in=said).delete()
    RouteShare.objects.bulk_create(
        RouteShare(route=one, mail_host_id=pk) for one in said for pk in one.other_pks
    )


ACCOUNTS: Final = Table(
    kind="accounts",
    title="Accounts",
    columns=(
        *("login", *_SWITCHES, "networks", "mail_host", "back_login", "verifier"),
        "password_hash",
    ),
    needed=("login",),
    key=lambda one: (one.login,),
    key_of_line=_key_of_account_line,
    find=_find_accounts,
    make=lambda: Account(epoch=1),
    fill=_fill_account,
    line_of=_line_of_account,
    after=_accounts_after,
    rows=Account.objects,
    written=(
        *_SWITCHES.values(),
        *("networks", "mail_host", "back_login", "verifier", "password_hash"),
    ),
)
ROUTES: Final = Table(
    kind="routes",
    title="Routes",
    columns=(
        *("position", "match", "value", "protocol", "mail_host", _OTHERS, "enabled", "percent"),
        *("from", "until", "action", "rewrite", "rewrite_to"),
    ),
    needed=("position", "match", "mail_host"),
    key=lambda one: (one.position, one.match, one.value, one.protocol),
    key_of_line=_key_of_route_line,
    find=_find_routes,
    make=Route,
    fill=_fill_route,
    line_of=_line_of_route,
    after=_routes_after,
    rows=Route.objects,
    written=(
        *("mail_host", "enabled", "percent", "starts_at", "ends_at", "action", "rewrite"),
        *("rewrite_to", "is_spread"),
    ),
    beside=("other_pks",),
    finish=_write_others,
)
TABLES: Final = {one.kind: one for one in (ACCOUNTS, ROUTES)}
