"""With another key file nothing of ACME stops: it says what it cannot read, and goes on later."""

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.utils import timezone

from appliance.acme import tasks
from appliance.acme.models import Account, Issuance, Order, Revocation, Variant
from appliance.acme.services import accounts, issuances, orders, renewals, revocations
from appliance.certs import services as certs


@pytest.fixture
def variant(db: None, settings: Any) -> Variant:
    """Stored under a key that is then lost."""
    account = Account.objects.create(
        name="ca",
        directory_url="https://ca.invalid",
        private_key="k",
        state="valid",
        url="https://ca.invalid/1",
    )
    issuance = issuances.save(Issuance(account=account, name="m", names=["m.example.com"]))
    certificate = certs.make_self_signed("m", ["m.example.com"])
    now = timezone.now()
    Variant.objects.update(
        certificate=certificate,
        fingerprint=certificate.fingerprint,
        account_url=account.url,
        ask_at=now,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        renew_at=now,
    )
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    return issuance.variants.get()


def test_an_order_says_that_the_key_file_is_missing_and_goes_on_later(variant: Variant) -> None:
    order = Order.objects.defer("private_key").get()
    assert orders.advance(order.pk) is not None
    order.refresh_from_db(fields=["problem", "state"])
    assert (order.problem["kind"], order.state) == ("vault", "wanted")
    assert "key file" in order.problem["advice"]


def test_so_do_accounts_revocations_and_questions(variant: Variant) -> None:
    account_id = variant.issuance.account_id
    Account.objects.update(next_at=timezone.now(), state="new")
    assert accounts.settle(account_id) is not None
    assert Account.objects.values_list("problem__kind", flat=True).get() == "vault"
    from appliance.acme.choices import Reason

    revocation = revocations.begin(variant, Reason.SUPERSEDED, replace=False)
    assert revocations.send(revocation.pk) is not None
    assert Revocation.objects.get().problem["kind"] == "vault"
    renewals.ask(variant.pk)
    variant.refresh_from_db()
    assert "cannot be read" in variant.ask_problem


def test_what_is_due_is_begun(variant: Variant) -> None:
    Order.objects.all().delete()
    assert renewals.begin_due() == 1
    tasks.publish_renewed()
