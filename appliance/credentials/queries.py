"""Read credentials, in queries compiled once."""

from dataclasses import dataclass
from typing import Any, Final, cast

from django.db.models import QuerySet

from appliance.credentials.models import AppPassword, RecoverableSecret
from appliance.lib import vault
from appliance.routing.models import Account, Verifier
from appliance.routing.prepared import Prepared, moment
from proxycore.contract.secret import Secret

_APP_PASSWORD: Final = (
    "id",
    "account_id",
    "imap_enabled",
    "pop3_enabled",
    "smtp_enabled",
    "networks",
    "expires_at",
    "last_used_at",
)


@dataclass(frozen=True, slots=True)
class Found:
    """An app password, and what its account's mail server takes instead of it."""

    app_password: AppPassword
    secret: Secret | None


def find_app_password(digests: list[str]) -> Found | None:
    """Give the app password with one of these digests, by the index."""
    for digest in digests:
        for row in _by_digest.rows(digest=digest):
            found = AppPassword.from_db("default", _APP_PASSWORD, row[:-1])
            found.expires_at = moment(found.expires_at)
            found.last_used_at = moment(found.last_used_at)
            token = row[-1]
            return Found(found, Secret(vault.decrypt(token)) if token else None)
    return None


def recoverable_secret(account: Account | None) -> Secret | None:
    """Give an account's password in clear, if it is kept so. Asks for nobody's just as well."""
    pk = account.pk if account is not None else 0
    kept = RecoverableSecret.objects.filter(account_id=pk).first()
    # the field gives what it decrypted
    return None if kept is None else cast(Secret, kept.secret)


def has_recoverable_secret(account: Account) -> bool:
    """Tell whether an account's password is kept in recoverable form."""
    return RecoverableSecret.objects.filter(account=account).exists()


def count_app_passwords(account: Account) -> int:
    """Count an account's app passwords."""
    return AppPassword.objects.filter(account_id=account.pk).count()


def verifier_of(account: Account) -> Verifier:
    """Give the service that knows an account's password."""
    return Verifier.objects.select_related("mail_host").get(accounts=account.pk)


def _select_app_password(digest: str) -> "QuerySet[AppPassword, Any]":
    return (
        AppPassword.objects.filter(digest=digest)
        .order_by()
        .values_list(*_APP_PASSWORD, "account__recoverable_secret__secret")
    )


_by_digest: Final = Prepared(_select_app_password, "digest")
