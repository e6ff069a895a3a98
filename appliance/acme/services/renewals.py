"""Renewal: what is due is ordered, and CAs are asked when they would like it (RFC 9773)."""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from appliance.acme import queries, renewal
from appliance.acme.ca import Ca
from appliance.acme.choices import OrderCause, Renew
from appliance.acme.models import Variant
from appliance.acme.renewal import BadAnswer, Window
from appliance.acme.services import issued, orders
from appliance.acme.services.conversation import open_with, problem_of
from appliance.lib.x509 import read_certificates

_ASK_AFTER_TROUBLE: Final = timedelta(hours=1)


def begin_due(now: datetime | None = None) -> int:
    """Order every certificate whose time has come; gives how many."""
    now = now or timezone.now()
    due = queries.to_be_ordered(now)
    for pk in due:
        variant = Variant.objects.select_related("issuance").get(pk=pk)
        orders.begin(variant, _cause(variant, now), now=now)
    return len(due)


def _cause(variant: Variant, now: datetime) -> OrderCause:
    if variant.failures:
        return OrderCause.AGAIN
    if not variant.fingerprint:
        return OrderCause.FIRST
    return OrderCause.SUGGESTED if variant.window_start else OrderCause.DUE


def ask(pk: int, now: datetime | None = None) -> None:
    """Ask a CA when it would like a certificate to be renewed. Asking twice does no harm."""
    now = now or timezone.now()
    variant = Variant.objects.select_related("issuance").filter(pk=pk, ask_at__lte=now).first()
    certificate = issued.certificate_of(variant) if variant is not None else None
    if variant is None or certificate is None:
        return
    if variant.issuance.renew != Renew.SUGGESTED or certificate.fingerprint != variant.fingerprint:
        _store(variant, ask_at=None, ask_problem="")
        return
    try:
        with open_with(variant.issuance.account, now) as ca:
            _ask(ca, variant, certificate.pem, now)
    except BadAnswer as fault:
        _store(variant, ask_at=now + renewal.ASK_AGAIN, ask_problem=str(fault)[:500])
    except Exception as error:  # noqa: BLE001  (it stays renewed by its age)
        problem, at = problem_of(error, f"variant={pk}")
        again = renewal.ask_again_at(at or now + _ASK_AFTER_TROUBLE, now)
        _store(variant, ask_at=again, ask_problem=problem.words[:500])


def _ask(ca: Ca, variant: Variant, pem: str, now: datetime) -> None:
    identifier = renewal.certificate_id(read_certificates(pem.encode())[0])
    if not ca.suggests_renewal or not identifier:
        # it may learn to
        _store(variant, ask_at=now + timedelta(days=1), ask_problem="")
        return
    window = renewal.read_window(ca.renewal_info(identifier))
    _take(variant, window, now)
    _store(variant, ask_at=renewal.ask_again_at(ca.retry_at, now), ask_problem="")


def _take(variant: Variant, window: Window, now: datetime) -> None:
    """Plan by a window. One that is known already leaves the day as it was chosen."""
    if (variant.window_start, variant.window_end) == (window.start, window.end):
        return
    assert variant.not_before is not None
    assert variant.not_after is not None
    chosen = renewal.by_window(window, variant.not_before, variant.not_after, orders.chance())
    _store(
        variant,
        window_start=window.start,
        window_end=window.end,
        explanation_url=window.explanation_url,
        renew_at=chosen,
    )


@transaction.atomic
def _store(variant: Variant, **columns: object) -> None:
    """Write, unless another certificate has been issued meanwhile."""
    rows = Variant.objects.filter(pk=variant.pk, fingerprint=variant.fingerprint)
    rows.update(**columns)
