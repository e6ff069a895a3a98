"""Decide about one login: routing says where, the stored password (if any) says whether.

Every refusal costs exactly one password verification and reads the same, so that unknown login,
wrong password and disabled account cannot be told apart.
"""

from collections.abc import Iterable
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from appliance.authhttp.models import CallerSecret
from appliance.lib.hashing import DUMMY_HASH, verify_password
from appliance.routing.decide import DecisionInput, decide
from proxycore.contract.authhttp import DEFAULT_FAILURE, AuthFailed, AuthOk, AuthRequest

PLAIN: Final = "plain"
"""The one Auth-Method that can be verified so far."""

MIN_SECRET_CHARS: Final = 16
"""A shorter header secret could be guessed over the network."""


def answer(request: AuthRequest) -> AuthOk | AuthFailed:
    """Give the verdict on a login."""
    decision = decide(DecisionInput(request.protocol, request.login))
    stored = decision.account.password_hash if decision.account else ""
    refused = decision.is_refused or request.method != PLAIN
    if stored or refused:
        verified = verify_password(stored or DUMMY_HASH, request.password)
        refused = refused or not verified
    if refused or decision.host is None:
        return refusal()
    return AuthOk(server=decision.host.address, port=decision.host.port(request.protocol))


def refusal() -> AuthFailed:
    """Give the one refusal there is."""
    return AuthFailed(text=DEFAULT_FAILURE, wait_s=settings.AUTH_WAIT_S)


def save_caller_secret(caller: CallerSecret) -> CallerSecret:
    """Write a caller's secret. Raises ValidationError."""
    check_caller_secret(caller)
    caller.full_clean()
    caller.save()
    return caller


def check_caller_secret(caller: CallerSecret) -> None:
    """Refuse a secret that is too short to be one. Raises ValidationError on ``secret``."""
    if caller.secret and len(caller.secret.reveal()) < MIN_SECRET_CHARS:
        raise ValidationError({"secret": f"Give at least {MIN_SECRET_CHARS} characters."})


@transaction.atomic
def delete_caller_secrets(callers: Iterable[CallerSecret]) -> None:
    """Delete secrets; who holds one is refused from the next request on."""
    for caller in list(callers):
        caller.delete()
