"""What is wanted from CAs: written, checked, and set going."""

import ipaddress
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from appliance.acme.choices import ENDED, PAIR_OF, ChallengeType, Keys, OrderCause
from appliance.acme.models import DnsSolver, Issuance, Order, Variant
from appliance.acme.services import issued, orders
from appliance.certs.models import Certificate

MAX_NAMES: Final = 100
"""Let's Encrypt's limit; no CA known to us takes more."""
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9-]{0,61}[a-z0-9])?")
_NEW_ORDER_FOR: Final = ("names", "keys", "challenge", "solver_id", "profile", "account_id")
"""What makes another certificate, or another way to it."""


def check(issuance: Issuance) -> None:
    """Refuse what no CA would take. Raises ValidationError, by field."""
    faults: dict[str, str] = {}
    names = issuance.names or []
    try:
        issuance.names = _names(names)
    except ValueError as fault:
        faults["names"] = str(fault)
    by_dns = issuance.challenge == ChallengeType.DNS_01
    if by_dns and issuance.solver_id is None:
        faults["solver"] = "Choose who sets the TXT records."
    if not by_dns and any(name.startswith("*.") for name in names):
        faults["challenge"] = "A wildcard can be proven with DNS-01 only."
    if by_dns and any(_is_address(name) for name in names):
        faults["challenge"] = "An IP address cannot be proven with DNS-01."
    if faults:
        raise ValidationError(faults)


def _names(given: list[str]) -> list[str]:
    names = list(dict.fromkeys(_name(one) for one in given))
    if not names:
        raise ValueError("Give at least one name.")
    if len(names) > MAX_NAMES:
        raise ValueError(f"There are {len(names)} names: {MAX_NAMES} are the most a CA takes.")
    return names


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name(given: str) -> str:
    """Give a name as the CA wants it. Raises ValueError."""
    if _is_address(given):
        return str(ipaddress.ip_address(given))
    bare = given.rstrip(".").removeprefix("*.")
    try:
        plain = bare if bare.isascii() else bare.encode("idna").decode()
    except UnicodeError:
        plain = ""
    labels = plain.lower().split(".")
    good = len(labels) > 1 and len(plain) <= 250 and all(map(_LABEL.fullmatch, labels))
    if not good:
        raise ValueError(f"“{given}” is no full host name, such as mail.example.com.")
    wild = "*." if given.startswith("*.") else ""
    return wild + plain.lower()


@transaction.atomic
def save(
    issuance: Issuance,
    *,
    adopt: Certificate | None = None,
    user: User | None = None,
    now: datetime | None = None,
) -> Issuance:
    """Write an issuance and order what it lacks.

    adopt: a certificate whose content is to be replaced, so that server blocks go on naming it.
    Raises ValidationError.
    """
    now = now or timezone.now()
    check(issuance)
    issuance.full_clean()
    before = Issuance.objects.filter(pk=issuance.pk).first() if issuance.pk else None
    issuance.save()
    _keep_variants(issuance, adopt)
    another = before is not None and any(
        getattr(before, name) != getattr(issuance, name) for name in _NEW_ORDER_FOR
    )
    for variant in issuance.variants.select_related("issuance"):
        if another:
            orders.cancel(variant, "The settings were changed.", now)
            Variant.objects.filter(pk=variant.pk).update(try_at=None, failures=0, renew_at=now)
        elif before is not None and before.renew != issuance.renew:
            issued.plan(variant, now, orders.chance())
            variant.save(update_fields=["renew_at", "ask_at"])
    order_due(issuance, user, now)
    return issuance


def _keep_variants(issuance: Issuance, adopt: Certificate | None) -> None:
    """Have a variant for each kind of key, and no other."""
    wanted = PAIR_OF if issuance.keys == Keys.PAIR else (Keys(issuance.keys),)
    present = {one.keys: one for one in issuance.variants.all()}
    spare = [one for keys, one in present.items() if keys not in wanted]
    for keys in wanted:
        if keys in present:
            continue
        # another kind of key, but the same certificate to whoever uses it
        variant = spare.pop(0) if spare else Variant(issuance=issuance)
        variant.keys = keys
        variant.save()
    for one in spare:
        one.delete()
    if adopt is not None:
        first = issuance.variants.filter(certificate=None).first() or issuance.variants.first()
        if first is not None:
            first.certificate = adopt
            first.save(update_fields=["certificate"])


@transaction.atomic
def order_due(issuance: Issuance, user: User | None, now: datetime) -> None:
    """Order what an issuance has never had, or not with these settings."""
    if not issuance.enabled:
        return
    for variant in issuance.variants.select_related("issuance"):
        is_due = variant.renew_at is not None and variant.renew_at <= now
        if not variant.fingerprint or is_due:
            first = not variant.fingerprint
            orders.begin(variant, OrderCause.FIRST if first else OrderCause.DUE, user=user, now=now)


@transaction.atomic
def order_now(issuance: Issuance, user: User | None = None, now: datetime | None = None) -> int:
    """Order every certificate of an issuance now, or try again what is under way; gives how many.

    What the CA asked us to wait for is not waited for: who presses the button knows why.
    """
    now = now or timezone.now()
    variants = list(issuance.variants.select_related("issuance"))
    for variant in variants:
        Variant.objects.filter(pk=variant.pk).update(try_at=None)
        order = Order.objects.filter(variant=variant).exclude(state__in=ENDED).first()
        if order is None:
            orders.begin(variant, OrderCause.ASKED, user=user, now=now)
        else:
            orders.hurry(order, now)
    return len(variants)


@transaction.atomic
def delete(issuances: Iterable[Issuance]) -> None:
    """Delete issuances; the certificates stay, and are not renewed any more."""
    for one in list(issuances):
        one.delete()


@transaction.atomic
def save_solver(solver: DnsSolver) -> DnsSolver:
    """Write a solver. Raises ValidationError."""
    solver.full_clean()
    solver.save()
    return solver


@transaction.atomic
def delete_solvers(solvers: Iterable[DnsSolver]) -> None:
    """Delete solvers. Raises ProtectedError for one that is used."""
    for one in list(solvers):
        one.delete()
