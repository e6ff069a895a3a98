"""Everything that writes credentials."""

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from appliance.credentials import app_passwords, queries, services
from appliance.credentials.models import AppPassword, RecoverableSecret
from appliance.routing import queries as routing
from appliance.routing.models import Account
from proxycore.contract.secret import Secret

CANARY = "canary-readable-77"


@pytest.fixture
def joe(db: None) -> Account:
    return services.save_account(Account(login="joe"), password=Secret(CANARY), recoverable=True)


def _stored() -> str:
    tables = ("routing_account", "credentials_recoverablesecret", "credentials_apppassword")
    rows = []
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT * FROM {table}")
            rows += cursor.fetchall()
    return repr(rows)


def test_what_is_readable_is_encrypted_in_the_database(joe: Account) -> None:
    assert queries.recoverable_secret(joe) == Secret(CANARY)
    assert CANARY not in _stored()
    assert CANARY not in repr(RecoverableSecret.objects.get().__dict__)


def test_an_imported_plain_password_is_encrypted_in_the_database(db: None) -> None:
    services.save_account(Account(login="joe"), imported_hash=Secret(f"{{PLAIN}}{CANARY}"))
    assert CANARY not in _stored()


def test_an_app_password_is_in_the_database_as_a_keyed_hash(joe: Account) -> None:
    given = services.issue_app_password(AppPassword(account=joe, name="phone")).reveal()
    stored = _stored()
    assert given not in stored
    assert given.replace("-", "") not in stored
    (digest,) = app_passwords.digests(given.encode())
    found = queries.find_app_password([digest])
    assert found is not None
    assert found.secret == Secret(CANARY)


def test_app_passwords_are_never_alike_and_what_is_none_is_not_looked_up() -> None:
    made = {app_passwords.make().reveal() for _ in range(50)}
    assert len(made) == 50
    for text in (b"", b"short", b"x" * 21, b"0" * 20, b"\xff" * 20, b"a" * 65, b"-" * 20):
        assert app_passwords.digests(text) == []


@pytest.mark.parametrize(
    "write",
    [
        lambda joe, one: services.issue_app_password(AppPassword(account=joe, name="new")),
        lambda joe, one: services.save_app_password(one),
        lambda joe, one: services.revoke_app_passwords([one]),
    ],
)
def test_every_change_begins_a_new_epoch_and_generation(joe: Account, write: object) -> None:
    one = AppPassword(account=joe, name="phone")
    services.issue_app_password(one)
    epoch, generation = Account.objects.get().epoch, routing.generation()
    write(joe, one)  # type: ignore[operator]
    assert Account.objects.get().epoch > epoch
    assert routing.generation() > generation


def test_what_is_refused_changes_nothing(joe: Account) -> None:
    before = routing.generation()
    with pytest.raises(ValidationError, match="is no network"):
        services.issue_app_password(AppPassword(account=joe, name="phone", networks="x"))
    with pytest.raises(ValidationError, match="only its hash is known"):
        services.save_account(Account(login="ann"), recoverable=True)
    assert not AppPassword.objects.exists()
    assert not Account.objects.filter(login="ann").exists()
    assert routing.generation() == before


@pytest.mark.parametrize("password", ["a\r\nb", "a\0", " a", "a "])
def test_a_readable_password_can_be_sent_in_a_header(db: None, password: str) -> None:
    with pytest.raises(ValidationError, match="cannot hold line breaks") as refused:
        services.save_account(Account(login="joe"), password=Secret(password), recoverable=True)
    assert "password" in refused.value.message_dict
    services.save_account(Account(login="joe"), password=Secret(password))
    kept = services.save_account(Account(login="ann"), password=Secret("x"), recoverable=True)
    with pytest.raises(ValidationError, match="cannot hold line breaks"):
        services.save_account(kept, password=Secret(password))
