"""Accounts at a real CA: terms, external binding, another key, and a CA that is no CA."""

from collections.abc import Iterator

import pytest

from appliance.acme.choices import AccountState
from appliance.acme.services import accounts
from tests.support.acme import account_at, issuance_for, issued, registered, settled
from tests.support.acme_pages import pages
from tests.support.pebble import Names, Pebble
from tests.support.pki import Authority
from tests.support.ports import free_port

KEYS = {"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"}


@pytest.fixture(scope="module")
def strict(names: Names) -> Iterator[Pebble]:
    """A CA that wants to know who one is elsewhere."""
    with Pebble(f"127.0.0.1:{names.port}", eab=KEYS) as ca:
        yield ca


@pytest.mark.django_db
def test_terms_have_to_be_agreed_to(pebble: Pebble) -> None:
    account = account_at(pebble, terms_agreed=False)
    assert account.state == AccountState.REFUSED
    assert account.problem["kind"] == "terms"
    assert account.terms_url.startswith("data:text/plain")
    account.terms_agreed = True
    accounts.save(account)
    assert settled(account).state == AccountState.VALID
    assert not account.problem


@pytest.mark.django_db
def test_registering_again_finds_the_same_account(pebble: Pebble) -> None:
    account = registered(pebble)
    url = account.url
    accounts.register_again(account)
    assert settled(account).state == AccountState.VALID
    # the answer was lost before it was stored
    type(account).objects.filter(pk=account.pk).update(url="", state=AccountState.NEW)
    account.refresh_from_db()
    accounts.register_again(account)
    assert settled(account).url == url


@pytest.mark.django_db
def test_an_account_that_the_ca_has_forgotten_is_made_anew(pebble: Pebble, names: Names) -> None:
    account = registered(pebble)
    with Pebble(f"127.0.0.1:{names.port}") as other:
        account.directory_url, account.ca_bundle = other.directory_url, other.authority.pem
        accounts.save(account)
        assert settled(account).state == AccountState.VALID
        assert str(other.port) in account.url


@pytest.mark.django_db
def test_an_external_account_is_bound(strict: Pebble) -> None:
    account = account_at(strict)
    assert account.state == AccountState.REFUSED
    assert account.problem["kind"] == "externalAccountRequired"
    account.eab_kid, account.eab_key = "kid-1", KEYS["kid-1"]
    accounts.save(account)
    assert settled(account).state == AccountState.VALID


@pytest.mark.django_db
def test_a_wrong_binding_is_told_in_the_words_of_the_ca(strict: Pebble) -> None:
    account = account_at(strict, eab_kid="kid-9", eab_key=KEYS["kid-1"])
    assert account.state == AccountState.REFUSED
    assert "references a key that is not known to the ACME server" in account.problem["words"]
    assert KEYS["kid-1"] not in str(account.problem)


def test_an_account_gets_another_key_and_goes_on_working(db: None, pebble: Pebble) -> None:
    account = registered(pebble)
    before = account.private_key.reveal()
    accounts.change_key(account)
    settled(account)
    assert account.state == AccountState.VALID
    assert account.private_key.reveal() != before
    assert not account.next_key
    with pages(pebble.http_port):
        issued(issuance_for(account, "mail.example.com"))


def test_a_key_change_whose_answer_was_lost_is_not_done_twice(db: None, pebble: Pebble) -> None:
    account = registered(pebble)
    old = account.private_key.reveal()
    accounts.change_key(account)
    new = account.next_key.reveal()
    settled(account)
    type(account).objects.filter(pk=account.pk).update(
        private_key=old, next_key=new, state=AccountState.ROLLING, next_at=account.registered_at
    )
    settled(account)
    assert account.state == AccountState.VALID
    assert account.private_key.reveal() == new


@pytest.mark.django_db
def test_a_directory_that_is_not_trusted_is_named_as_such(pebble: Pebble) -> None:
    account = account_at(pebble, ca_bundle=Authority("Another").pem, give_up=True)
    assert account.state == AccountState.NEW
    assert account.problem["kind"] == "certificateOfCa"


@pytest.mark.django_db
def test_nobody_there_is_tried_again(pebble: Pebble) -> None:
    url = f"https://localhost:{free_port()}/dir"
    account = account_at(pebble, directory_url=url, give_up=True)
    assert account.state == AccountState.NEW
    assert account.problem["kind"] == "network"
    assert "refused" in account.problem["words"]
    assert account.next_at is not None
