"""Admin pages of accounts, app passwords and verifiers."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from appliance.credentials import queries, services
from appliance.credentials.models import AppPassword
from appliance.lib.hashing import verify_password
from appliance.routing import queries as routing_queries
from appliance.routing import services as routing
from appliance.routing.choices import VerifierKind
from appliance.routing.models import Account, Verifier
from proxycore.contract.secret import Secret

ACCOUNTS = "/admin/routing/account/"
VERIFIERS = "/admin/routing/verifier/"
CANARY = "canary-account-31"

SWITCHES = {"enabled": "on", "imap_enabled": "on", "pop3_enabled": "on", "smtp_enabled": "on"}


def _rows(*rows: dict[str, Any]) -> dict[str, Any]:
    """Give the rows of app passwords as a form sends them."""
    data: dict[str, Any] = {
        "app_passwords-TOTAL_FORMS": len(rows),
        "app_passwords-INITIAL_FORMS": len(rows),
    }
    for number, row in enumerate(rows):
        data |= {f"app_passwords-{number}-{name}": value for name, value in row.items()}
    return data


def _data(login: str, **more: Any) -> dict[str, Any]:
    return {"login": login, **SWITCHES, **_rows(), **more}


def _page(account: Account) -> str:
    return f"{ACCOUNTS}{account.pk}/change/"


@pytest.fixture
def joe(db: None) -> Account:
    """An account with a password."""
    return services.save_account(Account(login="joe"), password=Secret(CANARY))


def test_an_accounts_password_is_stored_as_a_hash_and_never_shown(
    as_administrator: Client,
) -> None:
    data = _data("Joe@Example.com", password=CANARY)
    assert as_administrator.post(f"{ACCOUNTS}add/", data).status_code == 302
    account = Account.objects.get()
    assert account.login == "joe@example.com"
    assert verify_password(account.password_hash, CANARY.encode())
    page = as_administrator.get(_page(account)).text
    assert CANARY not in page
    assert account.password_hash not in page
    assert "argon2id" in page
    assert "Postroad" in as_administrator.get(ACCOUNTS).text


def test_a_blank_password_keeps_and_the_switch_drops(
    as_administrator: Client, joe: Account
) -> None:
    as_administrator.post(_page(joe), _data("joe", password=""))
    joe.refresh_from_db()
    assert joe.password_hash
    as_administrator.post(_page(joe), _data("joe", forget_password="on"))
    joe.refresh_from_db()
    assert joe.password_hash == ""


def test_a_second_spelling_of_a_login_is_refused(as_administrator: Client, joe: Account) -> None:
    answer = as_administrator.post(f"{ACCOUNTS}add/", _data("JOE"))
    assert "login" in answer.context["adminform"].form.errors


def test_a_hash_can_be_imported(as_administrator: Client) -> None:
    digest = "{SSHA}1pswStEF71naRHFw7vEE3bpnn923EH7m"
    answer = as_administrator.post(f"{ACCOUNTS}add/", _data("joe", imported_hash=digest))
    assert answer.status_code == 302
    account = Account.objects.get()
    assert verify_password(account.password_hash, b"secret pw")
    page = as_administrator.get(_page(account)).text
    assert "SSHA" in page
    assert digest not in page


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("imported_hash", {"imported_hash": "{MD5}canary-hash"}),
        ("networks", {"networks": "mail.example.com"}),
        ("recoverable", {"recoverable": "on"}),
        ("imported_hash", {"password": CANARY, "imported_hash": "{PLAIN}canary"}),
        ("forget_password", {"password": CANARY, "forget_password": "on"}),
    ],
)
def test_objections_stand_at_the_field_and_show_no_secret(
    as_administrator: Client, field: str, given: dict[str, str]
) -> None:
    answer = as_administrator.post(f"{ACCOUNTS}add/", _data("joe", **given))
    assert field in answer.context["adminform"].form.errors
    assert "canary" not in answer.text
    assert not Account.objects.exists()


def test_a_readable_password_is_marked_and_not_shown(
    as_administrator: Client, joe: Account
) -> None:
    assert "readable-mark" not in as_administrator.get(_page(joe)).text
    as_administrator.post(_page(joe), _data("joe", password=CANARY, recoverable="on"))
    assert queries.recoverable_secret(joe) == Secret(CANARY)
    page = as_administrator.get(_page(joe)).text
    assert "readable-mark" in page
    assert CANARY not in page
    assert "readable" in as_administrator.get(ACCOUNTS).text
    as_administrator.post(_page(joe), _data("joe", recoverable="on"))
    assert queries.recoverable_secret(joe) == Secret(CANARY)
    as_administrator.post(_page(joe), _data("joe"))
    assert queries.recoverable_secret(joe) is None


def _made(client: Client, account: Account, **given: Any) -> tuple[AppPassword, str]:
    data = {"name": "phone", "imap_enabled": "on", **given}
    answer = client.post(f"{ACCOUNTS}{account.pk}/app-password/", data)
    shown = re.search(r'id="app-password">([a-z0-9-]+)<', answer.text)
    assert shown, answer.text
    assert "no-store" in answer["Cache-Control"]
    return AppPassword.objects.get(), shown[1]


def test_an_app_password_is_shown_once(as_administrator: Client, joe: Account) -> None:
    assert "app-password/" in as_administrator.get(_page(joe)).text
    assert as_administrator.get(f"{ACCOUNTS}{joe.pk}/app-password/").status_code == 200
    made, shown = _made(as_administrator, joe, networks="192.0.2.7/24")
    assert re.fullmatch(r"(?:[a-z0-9]{5}-){3}[a-z0-9]{5}", shown)
    assert (made.imap_enabled, made.pop3_enabled, made.networks) == (True, False, "192.0.2.0/24")
    page = as_administrator.get(_page(joe)).text
    assert "phone" in page
    assert shown not in page
    assert made.digest not in page


def test_an_app_password_without_a_name_or_with_nonsense_is_not_made(
    as_administrator: Client, joe: Account
) -> None:
    answer = as_administrator.post(
        f"{ACCOUNTS}{joe.pk}/app-password/", {"name": "", "networks": "x"}
    )
    assert "name" in answer.context["form"].errors
    answer = as_administrator.post(
        f"{ACCOUNTS}{joe.pk}/app-password/", {"name": "phone", "networks": "x"}
    )
    assert "networks" in answer.context["form"].errors
    assert not AppPassword.objects.exists()


def test_an_app_password_is_changed_and_revoked_on_the_account_s_page(
    as_administrator: Client, joe: Account
) -> None:
    made, _ = _made(as_administrator, joe)
    row = {"id": made.pk, "account": joe.pk, "name": "old phone", "pop3_enabled": "on"}
    as_administrator.post(_page(joe), {**_data("joe"), **_rows(row)})
    made.refresh_from_db()
    assert (made.name, made.imap_enabled, made.pop3_enabled) == ("old phone", False, True)
    before = routing_queries.generation()
    as_administrator.post(_page(joe), {**_data("joe"), **_rows({**row, "DELETE": "on"})})
    assert not AppPassword.objects.exists()
    assert routing_queries.generation() > before


def test_the_page_says_when_an_app_password_was_used(
    as_administrator: Client, joe: Account
) -> None:
    made, _ = _made(as_administrator, joe)
    assert "never" in as_administrator.get(_page(joe)).text
    services.note_use(made, "192.0.2.7")
    AppPassword.objects.update(expires_at=timezone.now() - timedelta(days=1))
    page = as_administrator.get(_page(joe)).text
    assert "expired 20" in page
    assert "from 192.0.2.7" in page


def test_a_verifier_is_made_and_its_secret_never_shown(as_administrator: Client) -> None:
    data = {"name": "old", "kind": "auth_http", "protocol": "imap", "timeout_ms": 1000}
    data |= {"url": "127.0.0.1:9000/auth", "header": "X-Key", "secret": CANARY}
    assert as_administrator.post(f"{VERIFIERS}add/", data).status_code == 302
    verifier = Verifier.objects.get()
    page = as_administrator.get(f"{VERIFIERS}{verifier.pk}/change/").text
    assert CANARY not in page + as_administrator.get(VERIFIERS).text
    answer = as_administrator.post(f"{VERIFIERS}add/", data | {"name": "x", "url": ""})
    assert "url" in answer.context["adminform"].form.errors
    assert (
        as_administrator.post(f"{VERIFIERS}{verifier.pk}/delete/", {"post": "yes"}).status_code
        == 302
    )


def test_the_list_says_who_verifies(as_administrator: Client) -> None:
    verifier = routing.save_verifier(
        Verifier(name="the old service", kind=VerifierKind.AUTH_HTTP, url="127.0.0.1:9/a")
    )
    services.save_account(Account(login="joe", verifier=verifier))
    services.save_account(Account(login="ann"))
    page = as_administrator.get(ACCOUNTS).text
    assert "the old service" in page
    assert "mail server" in page


@pytest.mark.parametrize("page", [ACCOUNTS, VERIFIERS])
def test_who_may_what(
    as_viewer: Client, as_newcomer: Client, client: Client, joe: Account, page: str
) -> None:
    assert as_viewer.get(page).status_code == 200
    assert as_viewer.get(f"{page}add/").status_code == 403
    assert as_newcomer.get(page).status_code == 403
    assert client.get(page).status_code == 302


def test_who_may_only_look_makes_no_app_password(
    as_viewer: Client, as_newcomer: Client, client: Client, joe: Account
) -> None:
    page = f"{ACCOUNTS}{joe.pk}/app-password/"
    for visitor, status in ((as_viewer, 403), (as_newcomer, 403), (client, 302)):
        assert visitor.get(page).status_code == status
        assert visitor.post(page, {"name": "x"}).status_code == status
    assert as_viewer.get(_page(joe)).status_code == 200
    assert "app-password/" not in as_viewer.get(_page(joe)).text
    assert not AppPassword.objects.exists()
