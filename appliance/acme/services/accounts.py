"""Accounts: registered, kept up to date, given another key. One step at a time, safe to lose."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from appliance.acme import csr, flow, problems, wake
from appliance.acme.ca import Ca, Failure
from appliance.acme.choices import AccountState
from appliance.acme.models import Account, Order
from appliance.acme.problems import Problem, Remedy
from appliance.acme.services import lease
from appliance.acme.services.conversation import open_with, problem_of
from appliance.acme.services.kinds import ACCOUNT
from appliance.acme.services.orders import chance
from appliance.alerts import services as alerts

_TOLD_TO_THE_CA = ("directory_url", "contact", "terms_agreed", "eab_kid", "eab_key", "ca_bundle")


@transaction.atomic
def save(account: Account) -> Account:
    """Write an account. What the CA has to know of is told to it by a task.

    Raises ValidationError.
    """
    before = Account.objects.filter(pk=account.pk).first() if account.pk else None
    if not account.private_key:
        account.private_key = csr.new_account_key()
    account.full_clean()
    if before is not None and before.directory_url != account.directory_url:
        account.url = account.terms_url = ""
    changed = before is None or any(
        getattr(before, name) != getattr(account, name) for name in _TOLD_TO_THE_CA
    )
    if changed:
        _begin(account)
    account.save()
    return account


@transaction.atomic
def register_again(account: Account) -> None:
    """Tell the CA of the account once more; one that it does not know is made anew."""
    if account.state == AccountState.REFUSED:
        account.url = ""
    _begin(account)
    account.save()


def _begin(account: Account) -> None:
    account.state, account.problem, account.attempts = AccountState.NEW, {}, 0
    account.next_at, account.held_by, account.held_until = timezone.now(), "", None
    transaction.on_commit(lambda: wake.account(account.pk))


@transaction.atomic
def change_key(account: Account) -> None:
    """Have the account's key replaced by a new one (RFC 8555 §7.3.5)."""
    if account.state != AccountState.VALID:
        return
    account.next_key = csr.new_account_key()
    _begin(account)
    account.state = AccountState.ROLLING
    account.save()


@transaction.atomic
def delete(accounts: Iterable[Account]) -> None:
    """Delete accounts. Raises ProtectedError for one that a certificate comes from."""
    for one in list(accounts):
        one.delete()


def settle(pk: int, now: datetime | None = None) -> datetime | None:
    """Do what is to be done for an account; gives when to try again, None when it is done."""
    now = now or timezone.now()
    token = lease.take(Account, pk, now)
    if token is None:
        return None
    account = Account.objects.defer("private_key", "next_key", "eab_key").get(pk=pk)
    try:
        changes = _step(account, now)
    except Exception as error:  # noqa: BLE001  (whatever it is, the account must go on)
        problem, at = problem_of(error, f"account={pk}")
        return _store_problem(account, token, problem, at, now)
    _store(account, token, changes, now)
    return None


def _step(account: Account, now: datetime) -> dict[str, object]:
    if account.state == AccountState.ROLLING:
        return _roll(account, now)
    with open_with(account, now) as ca:
        terms = ca.terms_url
        Account.objects.filter(pk=account.pk).update(terms_url=terms)
        if terms and not account.terms_agreed:
            raise Failure(problems.ours("terms", f"The CA has terms of service: {terms}"))
        if account.url:
            ca.update_contact(account.contact)
            return {"registered_at": account.registered_at or now}
        if ca.wants_binding and not (account.eab_kid and account.eab_key):
            words = "The CA's directory says externalAccountRequired."
            raise Failure(problems.ours("externalAccountRequired", words))
        binding = (account.eab_kid, account.eab_key) if account.eab_kid else None
        return {"url": ca.register(account.contact, binding), "registered_at": now}


def _roll(account: Account, now: datetime) -> dict[str, object]:
    """Change the key, unless that has been done and we did not hear of it."""
    if not _is_known(account, now):
        with open_with(account, now) as ca:
            ca.change_key(account.url, account.next_key)
    return {"private_key": account.next_key, "next_key": ""}


def _is_known(account: Account, now: datetime) -> bool:
    """Tell whether the CA knows the account by its next key already."""
    with Ca(account.directory_url, account.next_key, bundle=account.ca_bundle, now=now) as ca:
        try:
            return ca.find_account() == account.url
        except Failure as failure:
            if failure.problem.kind == "accountDoesNotExist":
                return False
            raise


def _store(account: Account, token: str, changes: dict[str, object], now: datetime) -> None:
    with transaction.atomic():
        if not lease.is_held(account, token):
            return
        for name, value in changes.items():
            setattr(account, name, value)
        account.state, account.problem, account.attempts = AccountState.VALID, {}, 0
        account.next_at, account.held_by, account.held_until = None, "", None
        account.save(update_fields=[*_BOOKKEEPING, *changes])
        alerts.clear_alert(ACCOUNT, str(account), "It is registered.")
        waiting = Order.objects.filter(
            variant__issuance__account=account, problem__kind="account", next_at__gt=now
        )
        for pk in list(waiting.values_list("pk", flat=True)):
            Order.objects.filter(pk=pk).update(next_at=now, attempts=0)
            wake.order(pk)


_BOOKKEEPING = ("state", "problem", "attempts", "next_at", "held_by", "held_until")


def _store_problem(
    account: Account, token: str, problem: Problem, at: datetime | None, now: datetime
) -> datetime | None:
    with transaction.atomic():
        if not lease.is_held(account, token):
            return None
        account.attempts += 1
        account.problem = problem.stored()
        if problem.remedy != Remedy.RETRY:
            rolling = account.state == AccountState.ROLLING
            account.state = AccountState.VALID if rolling else AccountState.REFUSED
            account.next_at = None
        else:
            again = flow.retry_at(account.attempts, now, chance())
            account.next_at = max(at, again) if at else again
        account.held_by, account.held_until = "", None
        account.save(update_fields=_BOOKKEEPING)
        if account.next_at is None or account.attempts > 2:
            alerts.raise_alert(ACCOUNT, str(account), f"{problem.words}\n{problem.advice}")
    return account.next_at
