"""Revocation, chains to choose from, and short lives, with a real CA."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from appliance.acme.choices import Reason
from appliance.acme.models import Account, Order, Revocation
from appliance.acme.services import revocations
from appliance.acme.steps import root_of
from appliance.lib.x509 import read_certificates, shown
from tests.support.acme import issuance_for, issued, leaf, led_on, open_order, registered
from tests.support.acme_pages import pages
from tests.support.pebble import Names, Pebble


@pytest.fixture(scope="module")
def other_ca(names: Names) -> Iterator[Pebble]:
    """A CA with three roots, whose certificates live for six days."""
    life_s = int(timedelta(days=6).total_seconds())
    more = {"PEBBLE_ALTERNATE_ROOTS": "2"}
    with Pebble(f"127.0.0.1:{names.port}", life_s=life_s, environment=more) as ca:
        yield ca


@pytest.fixture
def elsewhere(db: None, other_ca: Pebble) -> Iterator[Account]:
    """An account there."""
    with pages(other_ca.http_port):
        yield registered(other_ca)


def test_a_certificate_is_revoked_and_replaced_with_a_new_key(
    account: Account, pebble: Pebble
) -> None:
    (variant,) = issued(issuance_for(account, "mail.example.com", reuse_key=True))
    old = leaf(variant)
    revocation = revocations.begin(variant, Reason.KEY_COMPROMISE, replace=True)
    assert revocations.send(revocation.pk) is None
    revocation.refresh_from_db()
    assert revocation.is_revoked
    assert pebble.status_of(old.serial_number) == "Revoked"
    led_on(open_order(variant))
    variant.refresh_from_db()
    assert leaf(variant).public_key() != old.public_key()
    assert pebble.status_of(leaf(variant).serial_number) == "Valid"


def test_a_revocation_whose_answer_was_lost_is_done(account: Account) -> None:
    (variant,) = issued(issuance_for(account, "mail.example.com"))
    for _ in range(2):
        revocation = revocations.begin(variant, Reason.SUPERSEDED, replace=False)
        revocations.send(revocation.pk)
    assert [one.is_revoked for one in Revocation.objects.all()] == [True, True]


def test_a_revocation_that_is_refused_says_why(account: Account) -> None:
    (variant,) = issued(issuance_for(account, "mail.example.com"))
    revocation = revocations.begin(variant, Reason.SUPERSEDED, replace=False)
    # RFC 5280 §5.3.1 has no such reason
    Revocation.objects.filter(pk=revocation.pk).update(reason=7)
    revocations.send(revocation.pk)
    revocation.refresh_from_db()
    assert not revocation.is_revoked
    assert revocation.problem["kind"] == "badRevocationReason"


def test_the_preferred_chain_is_taken(elsewhere: Account, other_ca: Pebble) -> None:
    roots = []
    for number in range(3):
        (root,) = read_certificates(other_ca.ask(f"/roots/{number}"))
        roots.append(shown(root.subject))
    for root_name in roots:
        issuance = issuance_for(elsewhere, "mail.example.com", name=root_name)
        issuance.preferred_chain = root_name
        issuance.save()
        (variant,) = issued(issuance)
        assert variant.certificate is not None
        assert root_of(variant.certificate.pem) == root_name


def test_a_chain_that_is_not_offered_is_named(elsewhere: Account) -> None:
    (variant,) = issued(issuance_for(elsewhere, "mail.example.com", preferred_chain="No Root"))
    assert leaf(variant)
    words = " ".join(step.words for step in Order.objects.get().steps.all())
    assert "No chain leads to No Root" in words


def test_six_days_are_renewed_after_four(elsewhere: Account) -> None:
    (variant,) = issued(issuance_for(elsewhere, "mail.example.com"))
    assert variant.not_before is not None
    assert variant.renew_at is not None
    age = variant.renew_at - variant.not_before
    assert timedelta(days=3, hours=14) < age <= timedelta(days=4)
