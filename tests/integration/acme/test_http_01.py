"""First issue and renewal by HTTP-01 with a real CA that is strict and refuses nonces."""

from django.utils import timezone

from appliance.acme import queries
from appliance.acme.choices import Keys, OrderCause, OrderState
from appliance.acme.models import Account, Order
from appliance.acme.services import renewals
from appliance.certs.choices import Event
from appliance.certs.models import Certificate
from tests.support.acme import issuance_for, issued, leaf, renewed
from tests.support.pebble import Pebble


def test_a_first_certificate_is_issued_and_stored(account: Account) -> None:
    issuance = issuance_for(account, "mail.example.com", "imap.example.com")
    (variant,) = issued(issuance)
    certificate = Certificate.objects.get(name="mail.example.com")
    assert variant.certificate == certificate
    assert set(certificate.names) == {"mail.example.com", "imap.example.com"}
    assert certificate.key_kind == "EC P-256"
    assert certificate.pem.count("BEGIN CERTIFICATE") == 2
    assert [one.event for one in certificate.versions.all()] == [Event.ISSUED]
    order = Order.objects.get()
    states = [step.state for step in order.steps.all()]
    assert list(dict.fromkeys(states)) == [
        *("wanted", "ordered", "challenged", "prepared", "answered", "ready"),
        *("finalized", "issued", "stored", "done"),
    ]
    assert queries.pending_answers() == {}
    assert not order.private_key


def test_a_renewal_replaces_the_content_and_nothing_else(account: Account) -> None:
    issuance = issuance_for(account, "mail.example.com")
    (before,) = issued(issuance)
    old = leaf(before)
    assert renewals.begin_due() == 0
    order = renewed(before)
    assert (order.state, order.cause) == (OrderState.DONE, OrderCause.DUE)
    assert renewals.begin_due() == 0
    new = leaf(before)
    assert Certificate.objects.count() == 1
    assert new.serial_number != old.serial_number
    assert new.public_key() != old.public_key()


def test_a_key_is_kept_where_that_is_wanted(account: Account) -> None:
    issuance = issuance_for(account, "mail.example.com", reuse_key=True)
    (variant,) = issued(issuance)
    old = leaf(variant)
    renewed(variant)
    assert leaf(variant).serial_number != old.serial_number
    assert leaf(variant).public_key() == old.public_key()


def test_a_pair_is_two_certificates(account: Account) -> None:
    issuance = issuance_for(account, "mail.example.com", keys=Keys.PAIR)
    issued(issuance)
    kinds = Certificate.objects.order_by("name").values_list("name", "key_kind")
    assert list(kinds) == [
        ("mail.example.com (EC P-256)", "EC P-256"),
        ("mail.example.com (RSA 2048)", "RSA 2048"),
    ]


def test_the_ca_knows_the_certificate(account: Account, pebble: Pebble) -> None:
    (variant,) = issued(issuance_for(account, "mail.example.com"))
    assert pebble.status_of(leaf(variant).serial_number) == "Valid"
    assert variant.not_after is not None
    assert variant.not_after > timezone.now()
