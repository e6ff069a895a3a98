"""Everything that writes routing. Each change raises the generation and rings the nodes."""

from collections.abc import Iterable
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Max, QuerySet

from appliance.lib import doorbell, schemes
from appliance.lib.hashing import hash_password
from appliance.routing import networks, queries, rules
from appliance.routing.choices import VerifierKind
from appliance.routing.models import Account, Generation, MailHost, Route, Verifier
from appliance.servers.snapshot import parse_auth_http
from proxycore.contract.secret import Secret

_Routing = TypeVar("_Routing", MailHost, Account, Route, Verifier)

POSITION_STEP = 10
"""Gap left between routes, so that one can be put between two others."""


def save_mail_host(host: MailHost) -> MailHost:
    """Write a mail host. Raises ValidationError."""
    return _save(host)


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


def save_route(route: Route) -> Route:
    """Write a route; without a position it goes to the end. Raises ValidationError."""
    normalise(route)
    if not route.position:
        last = Route.objects.aggregate(last=Max("position"))["last"] or 0
        route.position = last + POSITION_STEP
    return _save(route)


def normalise_login(login: str) -> str:
    """Bring a login into the form that is stored and compared."""
    return rules.fold(login.strip())


def normalise(route: Route) -> None:
    """Bring a route's value into the form that is stored. Raises ValidationError on ``value``."""
    try:
        route.value = rules.normalise(route.match, route.value)
    except ValueError as fault:
        raise ValidationError({"value": str(fault)}) from None


@transaction.atomic
def delete(objects: Iterable[MailHost | Account | Route | Verifier]) -> None:
    """Delete hosts, accounts or routes. Raises ProtectedError for a host still in use."""
    for one in list(objects):
        one.delete()
    bump_generation()


@transaction.atomic
def bump_generation() -> int:
    """Count a change, so that nodes forget cached answers; give the new generation."""
    Generation.objects.get_or_create(pk=queries.GENERATION_ROW)
    Generation.objects.filter(pk=queries.GENERATION_ROW).update(number=F("number") + 1)
    number = queries.generation()
    doorbell.ring_on_commit({"type": "routes.changed", "generation": number})
    return number


@transaction.atomic
def _save(one: _Routing) -> _Routing:
    one.full_clean()
    one.save()
    bump_generation()
    return one
