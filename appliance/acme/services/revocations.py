"""Revocation: the CA is asked until it has done it, or says why not."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from appliance.acme import flow, wake
from appliance.acme.choices import OrderCause, Reason
from appliance.acme.models import Revocation, Variant
from appliance.acme.problems import Problem, Remedy
from appliance.acme.services import issued, lease, orders
from appliance.acme.services.conversation import open_with, problem_of
from appliance.lib.x509 import read_certificates


class NothingToRevoke(Exception):
    """There is no certificate that this account was given."""


@transaction.atomic
def begin(
    variant: Variant, reason: Reason, *, replace: bool, user: User | None = None
) -> Revocation:
    """Have a certificate revoked; replace: order another first, with a new key.

    Raises NothingToRevoke.
    """
    certificate = issued.certificate_of(variant)
    if certificate is None or certificate.fingerprint != variant.fingerprint:
        raise NothingToRevoke(f"{variant} holds nothing that was issued by ACME.")
    now = timezone.now()
    if replace:
        orders.begin(variant, OrderCause.ASKED, user=user, fresh_key=True, now=now)
    revocation = Revocation.objects.create(
        account=variant.issuance.account,
        issuance=variant.issuance,
        pem=certificate.pem,
        fingerprint=certificate.fingerprint,
        reason=reason,
        author=user,
        created_at=now,
        next_at=now,
    )
    wake.revocation(revocation.pk)
    return revocation


def send(pk: int, now: datetime | None = None) -> datetime | None:
    """Ask the CA; gives when to try again, None when it is settled."""
    now = now or timezone.now()
    token = lease.take(Revocation, pk, now)
    if token is None:
        return None
    revocation = Revocation.objects.get(pk=pk)
    problem, at = None, None
    try:
        with open_with(revocation.account, now) as ca:
            ca.revoke(read_certificates(revocation.pem.encode())[0], revocation.reason)
    except Exception as error:  # noqa: BLE001  (whatever it is, it must be said)
        problem, at = problem_of(error, f"revocation={pk}")
    with transaction.atomic():
        if lease.is_held(revocation, token):
            _store(revocation, problem, at, now)
    return revocation.next_at


def _store(
    revocation: Revocation, problem: Problem | None, at: datetime | None, now: datetime
) -> None:
    revocation.held_by, revocation.held_until = "", None
    revocation.attempts += 1
    # the answer to an earlier try may have been lost
    done = problem is None or problem.kind == "alreadyRevoked"
    revocation.problem = {} if done or problem is None else problem.stored()
    revocation.is_revoked = done
    if done or (problem is not None and problem.remedy != Remedy.RETRY):
        revocation.next_at, revocation.ended_at = None, now
    else:
        again = flow.retry_at(revocation.attempts, now, orders.chance())
        revocation.next_at = max(at, again) if at else again
    revocation.save()
