"""Everything that writes routing. Each change raises the generation and rings the nodes."""

from collections.abc import Iterable
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Max

from appliance.lib import doorbell
from appliance.lib.hashing import hash_password
from appliance.routing import queries, rules
from appliance.routing.models import Account, Generation, MailHost, Route
from proxycore.contract.secret import Secret

_Routing = TypeVar("_Routing", MailHost, Account, Route)

POSITION_STEP = 10
"""Gap left between routes, so that one can be put between two others."""


def save_mail_host(host: MailHost) -> MailHost:
    """Write a mail host. Raises ValidationError."""
    return _save(host)


def save_account(
    account: Account, *, password: Secret | None = None, forget_password: bool = False
) -> Account:
    """Write an account. Raises ValidationError.

    password: replaces the stored one; None keeps it.
    forget_password: from now on the mail server verifies.
    """
    account.login = normalise_login(account.login)
    if forget_password:
        account.password_hash = ""
    elif password:
        account.password_hash = hash_password(password.reveal().encode())
    return _save(account)


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
def delete(objects: Iterable[MailHost | Account | Route]) -> None:
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
