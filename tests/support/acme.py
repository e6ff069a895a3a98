"""Leads orders on as a worker and beat would, without their waiting."""

from collections.abc import Callable
from typing import Any

from cryptography import x509
from django.utils import timezone

from appliance.acme.choices import ENDED, AccountState, OrderState
from appliance.acme.models import Account, Issuance, Order, Variant
from appliance.acme.services import accounts, issuances, orders, renewals
from tests.support.acme_doorman import Doorman
from tests.support.pebble import Pebble
from tests.support.wait import eventually


def account_at(
    pebble: Pebble | Doorman, name: str = "Pebble", *, give_up: bool = False, **more: Any
) -> Account:
    """Make an account, and have it registered; give_up: after the first try."""
    columns = {
        "contact": ["ops@example.com"],
        "terms_agreed": True,
        "directory_url": pebble.directory_url,
        "ca_bundle": pebble.authority.pem,
        **more,
    }
    account = accounts.save(Account(name=name, **columns))
    if give_up:
        accounts.settle(account.pk)
        account.refresh_from_db()
        return account
    return settled(account)


def settled(account: Account) -> Account:
    """Do an account's steps until there is none."""

    def is_settled() -> bool:
        account.refresh_from_db()
        if account.next_at is not None:
            accounts.settle(account.pk, account.next_at)
            account.refresh_from_db()
        return account.next_at is None

    eventually(is_settled, "the account is settled", within_s=20)
    return account


def registered(pebble: Pebble | Doorman, **more: Any) -> Account:
    """Make an account that the CA accepts."""
    account = account_at(pebble, **more)
    assert account.state == AccountState.VALID, account.problem
    return account


def issuance_for(account: Account, *names: str, **more: Any) -> Issuance:
    """Want a certificate; it is ordered at once."""
    columns = {"name": names[0], **more}
    return issuances.save(Issuance(account=account, names=list(names), **columns))


def open_order(variant: Variant) -> Order:
    """Give the order that is under way."""
    return Order.objects.exclude(state__in=ENDED).get(variant=variant)


def led_on(order: Order, until: Callable[[Order], bool] | None = None) -> Order:
    """Do the steps of an order as soon as each is due, whatever the time, until it has ended."""

    def has_ended() -> bool:
        step(order)
        return until(order) if until else order.state in ENDED

    eventually(has_ended, "the order ends", within_s=30)
    return order


def step(order: Order) -> None:
    """Do the next step of an order as if its time had come."""
    order.refresh_from_db()
    if order.state not in ENDED and order.next_at is not None:
        orders.advance(order.pk, order.next_at)
        order.refresh_from_db()


def issued(issuance: Issuance) -> list[Variant]:
    """Lead every open order of an issuance to a certificate."""
    for order in Order.objects.filter(variant__issuance=issuance).exclude(state__in=ENDED):
        led_on(order)
        assert order.state == OrderState.DONE, order.problem
    return list(issuance.variants.select_related("certificate", "issuance"))


def renewed(variant: Variant) -> Order:
    """Let the time to renew come, as beat would notice it, and lead the order to its end."""
    Variant.objects.filter(pk=variant.pk).update(renew_at=timezone.now())
    assert renewals.begin_due() == 1
    order = led_on(open_order(variant))
    variant.refresh_from_db()
    return order


def leaf(variant: Variant) -> x509.Certificate:
    """Give the certificate that was stored."""
    assert variant.certificate is not None
    return x509.load_pem_x509_certificate(variant.certificate.pem.encode())
