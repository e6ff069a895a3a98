"""Everything that writes credentials. Each change raises the generation: nodes ask again."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.utils import timezone

from appliance.credentials import app_passwords, queries
from appliance.credentials.models import AppPassword, RecoverableSecret
from appliance.lib.text import storable
from appliance.routing import networks
from appliance.routing import services as routing
from appliance.routing.models import Account
from proxycore.contract.secret import Secret

logger = logging.getLogger(__name__)

NOTE_USE_EVERY: Final = timedelta(minutes=5)
"""A program that asks for mail each minute must not cost a write each minute."""


@transaction.atomic
def save_account(
    account: Account,
    *,
    password: Secret | None = None,
    imported_hash: Secret | None = None,
    forget_password: bool = False,
    recoverable: bool | None = None,
) -> Account:
    """Write an account and what it proves itself with. Raises ValidationError.

    recoverable: True keeps the password readable, too, for APOP and CRAM-MD5; it can only be kept
    when it is given. False forgets that form; None leaves it as it is, except that a password
    which is replaced or forgotten is not kept in an old version.
    """
    check_recoverable(account, password=password, recoverable=recoverable)
    routing.save_account(
        account, password=password, imported_hash=imported_hash, forget_password=forget_password
    )
    is_kept = queries.has_recoverable_secret(account)
    is_wanted = is_kept if recoverable is None else recoverable
    if is_wanted and password:
        kept = RecoverableSecret.objects.filter(account=account).first()
        kept = kept or RecoverableSecret(account=account)
        kept.secret = password.reveal()
        kept.save()
    elif is_kept and (not is_wanted or forget_password or imported_hash):
        RecoverableSecret.objects.filter(account=account).delete()
    return account


def check_recoverable(
    account: Account, *, password: Secret | None, recoverable: bool | None
) -> None:
    """Refuse to keep what is not known, or cannot be sent. Raises ValidationError."""
    is_kept = account.pk is not None and queries.has_recoverable_secret(account)
    is_wanted = is_kept if recoverable is None else recoverable
    if is_wanted and password and not _fits_a_header(password.reveal()):
        raise ValidationError(
            {"password": "A readable password cannot hold line breaks, nor blanks at its ends."}
        )
    if recoverable and not password and not is_kept:
        raise ValidationError({"recoverable": "Give the password as well: only its hash is known."})


def _fits_a_header(text: str) -> bool:
    """Tell whether an Auth-Pass header can carry it: its value is not escaped (auth_http)."""
    return text == text.strip(" ") and not set(text) & set("\r\n\0")


@transaction.atomic
def issue_app_password(app_password: AppPassword) -> Secret:
    """Store a new app password and give it; it cannot be shown again. Raises ValidationError."""
    secret = app_passwords.make()
    app_password.digest = app_passwords.digests(secret.reveal().encode())[0]
    _save_app_password(app_password)
    return secret


def save_app_password(app_password: AppPassword) -> AppPassword:
    """Write a changed name or scope. Raises ValidationError."""
    with transaction.atomic():
        _save_app_password(app_password)
    return app_password


def _save_app_password(app_password: AppPassword) -> None:
    normalise_app_password(app_password)
    app_password.full_clean()
    app_password.save()
    _changed([app_password.account_id])


def normalise_app_password(app_password: AppPassword) -> None:
    """Bring its scope into the form that is stored. Raises ValidationError on ``networks``."""
    try:
        app_password.networks = networks.normalise(app_password.networks)
    except ValueError as fault:
        raise ValidationError({"networks": str(fault)}) from None


@transaction.atomic
def revoke_app_passwords(chosen: Iterable[AppPassword]) -> None:
    """Delete app passwords; who uses one is refused from the next login on."""
    accounts = set()
    for one in list(chosen):
        accounts.add(one.account_id)
        one.delete()
    _changed(accounts)


def _changed(account_pks: Iterable[int]) -> None:
    accounts = Account.objects.filter(pk__in=list(account_pks))
    routing.touch_accounts(accounts)
    routing.bump_generation(accounts.order_by().values_list("login", flat=True))


def note_use(app_password: AppPassword, client_ip: str) -> None:
    """Remember when and from where an app password was last used, now and then.

    A login does not fail because this could not be written.
    """
    now = timezone.now()
    last = app_password.last_used_at
    if last is not None and now - last < NOTE_USE_EVERY:
        return
    try:
        AppPassword.objects.filter(pk=app_password.pk).update(
            last_used_at=now, last_used_ip=storable(client_ip, 45)
        )
    except DatabaseError as fault:
        logger.warning("use of an app password not noted: %s", type(fault).__name__)
