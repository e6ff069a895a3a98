"""Orders: begun, led on by one step at a time, ended. Every step is safe to lose."""

import logging
import secrets
from datetime import datetime
from functools import partial
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from appliance.acme import answers, flow, problems, wake
from appliance.acme.choices import ENDED, TIDYING, AccountState, OrderCause, OrderState
from appliance.acme.flow import Outcome
from appliance.acme.models import Challenge, Order, OrderStep, Variant
from appliance.acme.problems import Problem, Remedy
from appliance.acme.services import issued, lease, trouble
from appliance.acme.services.conversation import open_with, problem_of
from appliance.acme.steps import STEPS, tidy

logger = logging.getLogger(__name__)

S = OrderState

_KEPT: Final = 20
"""Ended orders kept for each certificate, to be looked up."""
_FOLLOWED_BY_REORDER: Final = (Remedy.REORDER, Remedy.OPERATOR)


def chance() -> float:
    """Give a number between 0 and 1."""
    return secrets.randbelow(1_000_000) / 1_000_000


# --- beginning ------------------------------------------------------------------------------------


@transaction.atomic
def begin(
    variant: Variant,
    cause: OrderCause,
    *,
    user: User | None = None,
    fresh_key: bool = False,
    now: datetime | None = None,
) -> Order:
    """Give the open order of a variant; a new one where there is none."""
    now = now or timezone.now()
    # two at a time wait for each other here
    Variant.objects.select_for_update().filter(pk=variant.pk).first()
    present = Order.objects.filter(variant=variant).exclude(state__in=ENDED).first()
    if present is not None:
        return present
    issuance = variant.issuance
    order = Order.objects.create(
        variant=variant,
        cause=cause,
        author=user,
        names=list(issuance.names),
        challenge=issuance.challenge,
        fresh_key=fresh_key,
        replaces=issued.replaced_by(variant),
        created_at=now,
        next_at=now,
    )
    OrderStep.objects.create(order=order, state=order.state, at=now, words=_why(order))
    _forget_old(variant)
    wake.order(order.pk)
    return order


def _why(order: Order) -> str:
    who = f" by {order.author}" if order.author else ""
    return f"{order.get_cause_display()}{who}"


def _forget_old(variant: Variant) -> None:
    ended = Order.objects.filter(variant=variant, state__in=ENDED).order_by("-pk")
    Order.objects.filter(pk__in=list(ended.values_list("pk", flat=True)[_KEPT:])).delete()


@transaction.atomic
def hurry(order: Order, now: datetime) -> None:
    """Have the next step tried at once."""
    Order.objects.filter(pk=order.pk).exclude(state__in=ENDED).update(next_at=now, attempts=0)
    wake.order(order.pk)


@transaction.atomic
def cancel(variant: Variant, words: str, now: datetime) -> None:
    """End the open order of a variant, for another with other settings to follow."""
    for order in Order.objects.select_for_update().filter(variant=variant).defer("private_key"):
        if order.state in (*ENDED, *TIDYING):
            continue
        problem = problems.ours("cancelled", words)
        state = flow.failed(S(order.state))
        # a worker that is at it finds that it has lost it
        order.held_by, order.held_until, order.next_at = "", None, now
        order.attempts = 0
        _reach(order, Outcome(state, problem=problem), now)
        order.save(update_fields=_BOOKKEEPING)
        wake.order(order.pk)


# --- one step -------------------------------------------------------------------------------------


def advance(pk: int, now: datetime | None = None) -> datetime | None:
    """Do the next step of an order and store what came of it.

    Gives when the one after it is to be done; None when there is none, or when it is not ours.
    """
    now = now or timezone.now()
    token = lease.take(Order, pk, now)
    if token is None:
        return None
    order = (
        Order.objects.defer("private_key")
        .select_related("variant__issuance")
        .defer("private_key", "variant__issuance__account")
        .get(pk=pk)
    )
    outcome = _outcome(order, now)
    return _store(order, token, outcome, now)


def _outcome(order: Order, now: datetime) -> Outcome:
    """Do the step. Everything that can happen becomes an outcome."""
    state = S(order.state)
    if state not in TIDYING and flow.is_stale(order.expires_at, order.created_at, now):
        return Outcome(flow.failed(state), problem=problems.ours("expired", _closed(order)))
    try:
        if state in TIDYING:
            return tidy(order)
        account = order.variant.issuance.account
        if account.state == AccountState.NEW or not account.url:
            return _without_account(state, account.problem, now)
        with open_with(account, now) as ca:
            return STEPS[state](ca, order, now)
    except Exception as error:  # noqa: BLE001  (whatever it is, the order must go on)
        problem, at = problem_of(error, f"order={order.pk} state={state}")
        if problem.kind == "accountDoesNotExist":
            trouble.account_is_gone(order.variant.issuance.account, problem)
    return _after_problem(order, problem, at, now)


def _without_account(state: OrderState, known: dict[str, str], now: datetime) -> Outcome:
    words = known.get("words") or "The account is about to be registered."
    return Outcome(
        state, problem=problems.ours("account", words), at=flow.retry_at(3, now, chance())
    )


def _closed(order: Order) -> str:
    when = order.expires_at or order.created_at
    return f"The order has expired ({when:%Y-%m-%d %H:%M} UTC)."


def _after_problem(order: Order, problem: Problem, at: datetime | None, now: datetime) -> Outcome:
    """Say where a problem leads: to another try, or to the order's end."""
    state = S(order.state)
    if problem.remedy in _FOLLOWED_BY_REORDER and state not in TIDYING:
        return Outcome(flow.failed(state), problem=problem, at=at)
    again = flow.retry_at(order.attempts + 1, now, chance())
    if problem.kind == "rateLimited":
        again = max(again, flow.rate_limited_at(order.attempts + 1, now))
    return Outcome(state, problem=problem, at=max(at, again) if at else again)


# --- storing --------------------------------------------------------------------------------------

_BOOKKEEPING: Final = (
    *("state", "attempts", "next_at", "held_by", "held_until", "ended_at", "problem"),
)


def _store(order: Order, token: str, outcome: Outcome, now: datetime) -> datetime | None:
    """Store what a step came to, unless somebody else has taken the order meanwhile."""
    with transaction.atomic():
        if not lease.is_held(order, token):
            logger.warning("order=%d was taken over; a step of it is dropped", order.pk)
            return None
        for name, value in outcome.changes.items():
            setattr(order, name, value)
        order.held_by, order.held_until = "", None
        for row in outcome.challenges:
            Challenge.objects.create(order=order, **row)
        if outcome.material is not None:
            issued.store(order, outcome.material, now, chance())
        order.next_at = outcome.at or now
        _reach(order, outcome, now)
        order.save(update_fields=(*_BOOKKEEPING, *outcome.changes))
    return order.next_at


def _reach(order: Order, outcome: Outcome, now: datetime) -> None:
    """Move an order to the state of an outcome. The only place where its state changes."""
    before, after = S(order.state), outcome.state
    if not flow.may_follow(before, after):
        raise AssertionError(f"no order goes from {before} to {after}")
    moved = before != after
    order.state = after
    order.attempts = 0 if moved or outcome.problem is None else order.attempts + 1
    if outcome.problem is not None:
        order.problem = outcome.problem.stored()
    elif after not in (S.FAILED, S.FAILING):
        order.problem = {}
    words = outcome.problem.words if outcome.problem else outcome.words
    _write_down(order, words, moved=moved, now=now)
    if after in ENDED:
        _end(order, now)
    if outcome.problem is not None or after == S.FAILED:
        # for who waits for the certificate, not for who looks at this try
        transaction.on_commit(partial(trouble.look_at, order.pk))


def _write_down(order: Order, words: str, *, moved: bool, now: datetime) -> None:
    last = order.steps.last()
    if not moved and last is not None and last.state == order.state:
        same = last.words == words or not words
        if same:
            last.tries += 1
            last.at = now if words else last.at
            last.save(update_fields=["tries", "at"])
            return
    OrderStep.objects.create(order=order, state=order.state, at=now, words=words)


def _end(order: Order, now: datetime) -> None:
    """Close an order, and say when another may follow."""
    order.ended_at, order.next_at = now, None
    # a key that nobody has a certificate for, or that is stored with its certificate
    Order.objects.filter(pk=order.pk).update(private_key="")
    if order.challenges.filter(is_present=True).update(is_present=False):
        answers.changed()
    if order.state == S.FAILED:
        issued.note_failure(order, now, chance())
