"""Everything that writes routing. Each change raises the generation and rings the nodes."""

import ipaddress
from collections.abc import Iterable
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Max, QuerySet

from appliance.audit import services as audit
from appliance.audit.choices import Action
from appliance.lib import doorbell, schemes
from appliance.lib.hashing import hash_password
from appliance.routing import networks, queries, rules
from appliance.routing.choices import LoginRewrite, MatchKind, VerifierKind
from appliance.routing.models import (
    Account,
    Change,
    DomainAlias,
    Generation,
    MailHost,
    Route,
    RouteShare,
    Verifier,
)
from appliance.servers.doors import own_door
from appliance.servers.snapshot import parse_auth_http
from proxycore.contract.authhttp import is_host_name, is_ip_address
from proxycore.contract.messages import MAX_LOGINS
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret

_Any = MailHost | Account | Route | Verifier | DomainAlias
_Routing = TypeVar("_Routing", MailHost, Account, Route, Verifier, DomainAlias)

_TIDY_EVERY = 100
"""Generations after which those nobody needs any more are deleted."""

_UNPRINTABLE = "A login has no tabs or other control characters."

POSITION_STEP = 10
"""Gap left between routes, so that one can be put between two others."""


def save_mail_host(host: MailHost) -> MailHost:
    """Write a mail host. Raises ValidationError."""
    check_mail_host(host)
    with transaction.atomic():
        stored = MailHost.objects.select_for_update().filter(pk=host.pk).first()
        if stored is not None:
            # what probes found meanwhile is not what the form was made of
            host.found_down, host.probe_due_at = stored.found_down, stored.probe_due_at
            if place_of(stored) != place_of(host):
                host.found_down, host.probe_due_at = "", None
                host.health.all().delete()
        return _save(host)


def place_of(host: MailHost) -> tuple[object, ...]:
    """Give what a probe of a mail host depends on."""
    modes = (host.imap_tls, host.pop3_tls, host.smtp_tls, host.tls_name)
    return (host.address, host.imap_port, host.pop3_port, host.smtp_port, *modes)


def check_mail_host(host: MailHost) -> None:
    """Refuse what cannot be a mail server: groups, and doors of our own. Raises ValidationError.

    A login sent to one of our own listeners would come back to us, again and again.
    """
    host.tls_name = host.tls_name.strip().rstrip(".").lower()
    name = host.tls_name.encode("utf-8")
    if name and not is_host_name(name) and not is_ip_address(name):
        raise ValidationError({"tls_name": f"“{host.tls_name}” is no host name and no address."})
    address = _place(host)
    if address is None:
        return
    if address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255":
        raise ValidationError({"address": "This is no address of one machine."})
    found = {}
    for protocol in Protocol:
        purpose = own_door(str(address), host.port(protocol))
        if purpose:
            found[f"{protocol.value}_port"] = (
                f"{host.address} port {host.port(protocol)} is {purpose}:"
                " logins would come back here for ever. Give the mail server's own port."
            )
    if found:
        raise ValidationError(found)


def _place(host: MailHost) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Bring the address into the form that is stored; give it, or None for a host name."""
    text = host.address.strip().rstrip(".").lower()
    host.address = text
    if "%" in text:
        # it would be lost on the way to the node
        said = "A zone (“%…”) cannot be given: nodes have interfaces of their own."
        raise ValidationError({"address": said})
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        looks_like_one = ":" in text or text.replace(".", "").isdigit()
        if text and (looks_like_one or not is_host_name(text.encode("utf-8"))):
            said = f"“{text}” is no IP address and no host name."
            raise ValidationError({"address": said}) from None
        return ipaddress.IPv4Address("127.0.0.1") if text == "localhost" else None
    host.address = str(found)
    return found


@transaction.atomic
def save_account(
    account: Account,
    *,
    password: Secret | None = None,
    imported_hash: Secret | None = None,
    forget_password: bool = False,
) -> Account:
    """Write an account. Raises ValidationError.

    password: replaces the stored one; None keeps it.
    imported_hash: replaces it by a hash as Dovecot writes it (lib.schemes).
    forget_password: from now on the mail server verifies.
    """
    normalise_account(account)
    if forget_password:
        account.password_hash = ""
    elif password:
        account.password_hash = hash_password(password.reveal().encode())
    elif imported_hash:
        account.password_hash = read_hash(imported_hash)
    _save(account)
    touch_accounts(Account.objects.filter(pk=account.pk))
    account.refresh_from_db(fields=["epoch"])
    return account


def normalise_account(account: Account) -> None:
    """Bring an account into the form that is stored. Raises ValidationError on ``networks``."""
    account.login = normalise_login(account.login)
    if not account.login.isprintable():
        raise ValidationError({"login": _UNPRINTABLE})
    account.back_login = account.back_login.strip()
    if not account.back_login.isprintable():
        raise ValidationError({"back_login": _UNPRINTABLE})
    try:
        account.networks = networks.normalise(account.networks)
    except ValueError as fault:
        raise ValidationError({"networks": str(fault)}) from None


def read_hash(given: Secret) -> str:
    """Give an imported hash as it is stored. Raises ValidationError on ``imported_hash``."""
    try:
        return schemes.read(given.reveal())
    except ValueError as fault:
        raise ValidationError({"imported_hash": str(fault)}) from None


def touch_accounts(accounts: "QuerySet[Account]") -> None:
    """Count a change of accounts: what was verified before is verified again."""
    accounts.order_by().update(epoch=F("epoch") + 1)


def replace_hash(account_pk: int, old: str, new: str) -> bool:
    """Store a better hash of the same password, unless another password was set meanwhile.

    No route and no verdict changes by it, so nodes keep what they know.
    """
    return bool(Account.objects.filter(pk=account_pk, password_hash=old).update(password_hash=new))


def renew_encrypted_hashes() -> int:
    """Encrypt readable imported passwords with the newest key; give how many there are."""
    found = Account.objects.filter(password_hash__startswith=schemes.ENCRYPTED)
    rows = list(found.order_by("pk").values_list("pk", "password_hash"))
    return sum(replace_hash(pk, old, schemes.renew(old)) for pk, old in rows)


@transaction.atomic
def save_verifier(verifier: Verifier) -> Verifier:
    """Write a verifier; its accounts are verified anew. Raises ValidationError."""
    normalise_verifier(verifier)
    _save(verifier)
    touch_accounts(Account.objects.filter(verifier=verifier))
    return verifier


def normalise_verifier(verifier: Verifier) -> None:
    """Check what belongs to the kind of a verifier. Raises ValidationError."""
    if verifier.kind == VerifierKind.MAIL_HOST:
        verifier.url = verifier.header = verifier.secret = ""
        return
    verifier.mail_host = None
    try:
        parse_auth_http(verifier.url)
    except ValueError as fault:
        raise ValidationError({"url": str(fault)}) from None
    if bool(verifier.header) != bool(verifier.secret):
        raise ValidationError({"header": "A header and its value belong together."})


@transaction.atomic
def save_route(route: Route, others: Iterable[MailHost] | None = None) -> Route:
    """Write a route. Raises ValidationError.

    others: further mail hosts that its logins are spread over; None keeps those there are.

    Without a position it goes to the end, or before the first route for everybody else that would
    keep it from ever being reached.
    """
    normalise(route)
    if not route.position:
        route.position = _free_position(route)
    if others is None:
        return _save(route)
    wanted = {host.pk: host for host in others if host.pk != route.mail_host_id}
    route.is_spread = bool(wanted)
    _save(route)
    route.shares.exclude(mail_host__in=wanted.values()).delete()
    kept = set(route.shares.values_list("mail_host_id", flat=True))
    for pk, host in wanted.items():
        if pk not in kept:
            RouteShare.objects.create(route=route, mail_host=host)
    return route


def _free_position(route: Route) -> int:
    others = Route.objects.exclude(pk=route.pk)
    last = others.aggregate(last=Max("position"))["last"] or 0
    if route.match == MatchKind.DEFAULT:
        return last + POSITION_STEP
    stops = others.filter(match=MatchKind.DEFAULT, enabled=True)
    if route.protocol:
        stops = stops.filter(protocol__in=("", route.protocol))
    stop = stops.first()
    if stop is None:
        return last + POSITION_STEP
    before = others.filter(position__lt=stop.position).aggregate(last=Max("position"))["last"] or 0
    middle = (before + stop.position + 1) // 2
    if before < middle < stop.position:
        return middle
    # no number is free there: what comes behind makes room
    behind = others.filter(position__gte=stop.position)
    position = stop.position
    moved = behind.update(position=F("position") + POSITION_STEP)
    text = f"{moved} routes from position {position} on moved back by {POSITION_STEP}"
    audit.record(Action.CHANGED, name="order of the routes", text=text)
    return max(position, 1)


def normalise_login(login: str) -> str:
    """Bring a login into the form that is stored and compared."""
    return rules.fold(login.strip())


def normalise(route: Route) -> None:
    """Bring a route into the form that is stored. Raises ValidationError by field."""
    try:
        route.value = rules.normalise(route.match, route.value)
    except ValueError as fault:
        raise ValidationError({"value": str(fault)}) from None
    if route.starts_at and route.ends_at and route.ends_at <= route.starts_at:
        raise ValidationError({"ends_at": "This is not after its beginning."})
    _normalise_rewrite(route)


def _normalise_rewrite(route: Route) -> None:
    if route.rewrite not in (LoginRewrite.ADD, LoginRewrite.FIXED):
        route.rewrite_to = ""
        return
    try:
        if route.rewrite == LoginRewrite.ADD:
            route.rewrite_to = rules.normalise_domain(route.rewrite_to)
        route.rewrite_to = route.rewrite_to.strip()
        if not route.rewrite_to:
            raise ValueError("Say which.")
        if not route.rewrite_to.isprintable():
            raise ValueError(_UNPRINTABLE)
    except ValueError as fault:
        raise ValidationError({"rewrite_to": str(fault)}) from None


@transaction.atomic
def save_alias(alias: DomainAlias) -> DomainAlias:
    """Write an alias domain. Raises ValidationError."""
    normalise_alias(alias)
    return _save(alias)


def normalise_alias(alias: DomainAlias) -> None:
    """Bring an alias domain into the form that is stored. Raises ValidationError by field.

    An alias of an alias would need one more look at each login, so there is none.
    """
    found = {}
    for name in ("domain", "target"):
        try:
            setattr(alias, name, rules.normalise_domain(getattr(alias, name)))
        except ValueError as fault:
            found[name] = str(fault)
    others = DomainAlias.objects.exclude(pk=alias.pk)
    if alias.domain == alias.target or others.filter(domain=alias.target).exists():
        found["target"] = f"{alias.target} is an alias itself. Give the domain it stands for."
    elif others.filter(target=alias.domain).exists():
        found["domain"] = f"Other domains are aliases of {alias.domain}."
    if found:
        raise ValidationError(found)


@transaction.atomic
def delete(objects: Iterable[_Any]) -> None:
    """Delete hosts, accounts or routes. Raises ProtectedError for a host still in use."""
    chosen = list(objects)
    concerned = [_concerned(_stored(one) or one) for one in chosen]
    for one in chosen:
        one.delete()
    bump_generation(_united(concerned))


@transaction.atomic
def bump_generation(logins: Iterable[str] | None = None) -> int:
    """Count a change, so that nodes forget cached answers; give the new generation.

    logins: whom alone it concerns, as they are stored. None: everybody.
    """
    Generation.objects.get_or_create(pk=queries.GENERATION_ROW)
    Generation.objects.filter(pk=queries.GENERATION_ROW).update(number=F("number") + 1)
    number = queries.generation()
    concerned = set() if logins is None else queries.alias_logins(logins)
    if len(concerned) <= MAX_LOGINS:
        Change.objects.bulk_create(Change(generation=number, login=one) for one in concerned)
    if number % _TIDY_EVERY == 0:
        Change.objects.filter(generation__lte=number - queries.KEPT_GENERATIONS).delete()
    doorbell.ring_on_commit({"type": "routes.changed", "generation": number})
    return number


@transaction.atomic
def _save(one: _Routing) -> _Routing:
    one.full_clean()
    concerned = [_concerned(version) for version in (_stored(one), one) if version is not None]
    one.save()
    bump_generation(_united(concerned))
    return one


def _stored(
    one: _Any,
) -> _Any | None:
    """Give an object as it is now, and hold it: what it becomes follows from nothing else."""
    return type(one).objects.select_for_update().filter(pk=one.pk).first()


def _concerned(one: _Any) -> str | None:
    """Give the only login whose decisions depend on this, or None where there may be others."""
    if isinstance(one, Account):
        return one.login
    if isinstance(one, Route) and one.match == MatchKind.USER:
        return one.value
    return None


def _united(concerned: Iterable[str | None]) -> set[str] | None:
    """Give the logins, or None when one of them stands for everybody."""
    found = set(concerned)
    return None if None in found else {one for one in found if one is not None}
