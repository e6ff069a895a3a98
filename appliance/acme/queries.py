"""Read what is to be done, what is to be answered, and how issuances stand."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from appliance.acme.choices import ENDED, ChallengeType, OrderState, Renew
from appliance.acme.models import (
    Account,
    Challenge,
    Issuance,
    Order,
    OrderStep,
    Revocation,
    Variant,
)


def pending_answers() -> dict[str, str]:
    """Give every answer to HTTP-01 that a CA may now ask for: token to key authorization."""
    return dict(_answerable().values_list("token", "key_authorization"))


def answer_to(token: str) -> str | None:
    """Give the answer to one token; None when nobody may ask for it."""
    rows = _answerable().filter(token=token)
    found: str | None = rows.values_list("key_authorization", flat=True).first()
    return found


def _answerable() -> Any:
    return Challenge.objects.filter(is_present=True, order__challenge=ChallengeType.HTTP_01)


# --- what is to be done ---------------------------------------------------------------------------


def due(model: type[Account | Order | Revocation], now: datetime) -> list[int]:
    """Give what has a step to be done that nobody is doing."""
    free = Q(held_until=None) | Q(held_until__lte=now)
    rows = model.objects.filter(free, next_at__lte=now).order_by("next_at")
    return list(rows.values_list("pk", flat=True))


def to_be_ordered(now: datetime) -> list[int]:
    """Give the variants whose time has come, and that no open order is for."""
    open_orders = Order.objects.exclude(state__in=ENDED).values("variant")
    first = Q(fingerprint="") | Q(certificate=None)
    again = Q(renew_at__lte=now)
    rows = Variant.objects.filter(first | again, Q(try_at=None) | Q(try_at__lte=now))
    rows = rows.filter(issuance__enabled=True).exclude(pk__in=open_orders)
    return list(rows.values_list("pk", flat=True))


def to_be_asked(now: datetime) -> list[int]:
    """Give the variants whose CA is to be asked when it would like them renewed."""
    rows = Variant.objects.filter(
        issuance__enabled=True, issuance__renew=Renew.SUGGESTED, ask_at__lte=now
    )
    # RFC 9773 §4.3: not after it has expired
    return list(rows.filter(not_after__gt=now).values_list("pk", flat=True))


# --- how it stands --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """How one certificate of an issuance stands."""

    variant: Variant
    order: Order | None
    """The newest."""
    steps: list[OrderStep]

    @property
    def is_open(self) -> bool:
        """Tell whether the order is on its way."""
        return self.order is not None and self.order.state not in ENDED

    @property
    def problem(self) -> dict[str, str]:
        """Give what is wrong; empty when nothing is."""
        if self.order is None or self.order.state == OrderState.DONE:
            return {}
        problem: dict[str, str] = self.order.problem
        return problem

    @property
    def next_at(self) -> datetime | None:
        """Say when something is tried again; None when nothing is planned."""
        if self.is_open and self.order is not None:
            return self.order.next_at
        if not self.variant.issuance.enabled:
            return None
        return latest(self.variant.try_at, self.variant.renew_at)

    @property
    def days_left(self) -> int | None:
        """Give whole days until what was issued expires; None before there is one."""
        end = self.variant.not_after
        return None if end is None else (end - timezone.now()) // timedelta(days=1)

    @property
    def tone(self) -> str:
        """Give the colour of the whole."""
        if self.problem:
            return "danger"
        if self.is_open or not self.variant.fingerprint:
            return "info"
        left = (self.variant.not_after or timezone.now()) - timezone.now()
        return "success" if left > timedelta() else "danger"

    @property
    def label(self) -> str:
        """Say in few words how it stands."""
        if self.order is not None and self.is_open:
            return "has a problem" if self.problem else self.order.get_state_display()
        if self.problem:
            return "failed"
        if not self.variant.fingerprint:
            return "not ordered yet"
        expired = (self.days_left or 0) < 0
        return "expired" if expired else "issued"


def latest(*moments: datetime | None) -> datetime | None:
    """Give the latest of those that are known."""
    return max((one for one in moments if one is not None), default=None)


def standings(issuances: list[Issuance]) -> dict[int, list[Standing]]:
    """Say how issuances stand, by primary key, in three queries and one for the steps."""
    found: dict[int, list[Standing]] = {one.pk: [] for one in issuances}
    variants = list(
        Variant.objects.filter(issuance__in=issuances)
        .select_related("issuance", "certificate")
        .defer("certificate__pem", "certificate__private_key")
    )
    orders: dict[int, Order] = {}
    rows = Order.objects.filter(variant__in=variants).order_by("pk").defer("private_key")
    for row in rows.select_related("author"):
        orders[row.variant_id] = row
    steps: dict[int, list[OrderStep]] = {}
    for step in OrderStep.objects.filter(order__in=list(orders.values())):
        steps.setdefault(step.order_id, []).append(step)
    for variant in variants:
        order = orders.get(variant.pk)
        known = steps.get(order.pk, []) if order else []
        found[variant.issuance_id].append(Standing(variant, order, known))
    return found


_WORST_FIRST = ("danger", "warning", "info", "success")


def worst(found: list[Standing]) -> Standing | None:
    """Give the one of an issuance that stands worst; None when it has none."""
    return min(found, key=lambda one: _WORST_FIRST.index(one.tone), default=None)
