"""Is this login who it says it is?"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from appliance.credentials import queries, services, verify
from appliance.credentials.certificates import ClientCertificate
from appliance.credentials.models import AppPassword
from appliance.credentials.verifiers import Answer
from appliance.lib.hashing import hash_password, is_ours
from appliance.routing import services as routing
from appliance.routing.decide import DecisionInput, decide
from appliance.routing.models import Account, MailHost
from proxycore.contract.authhttp import AuthRequest
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from tests.unit.appliance.credentials.conftest import apop, cram, submission

SSHA = Secret("{SSHA}1pswStEF71naRHFw7vEE3bpnn923EH7m")  # of "secret pw"
NOBODY = ClientCertificate(verified=False, subject="")

Begun = verify.Proof | verify.Pending


def begin(request: AuthRequest, certificate: ClientCertificate = NOBODY) -> Begun:
    decision = decide(DecisionInput(request.protocol, request.login, request.client_ip))
    return verify.begin(request, decision, certificate)


def proof(request: AuthRequest, certificate: ClientCertificate = NOBODY) -> verify.Proof:
    return verify.complete(begin(request, certificate))


def is_right(request: AuthRequest, certificate: ClientCertificate = NOBODY) -> bool:
    return proof(request, certificate).answer is Answer.RIGHT


def is_quick(request: AuthRequest) -> bool:
    return isinstance(begin(request), verify.Proof)


@pytest.fixture
def joe(everybody: MailHost) -> Account:
    """An account whose password is ``pw``."""
    return services.save_account(Account(login="joe"), password=Secret("pw"))


# --- the cache of what was verified ---------------------------------------------------------------


def test_only_the_first_login_is_hashed(joe: Account) -> None:
    assert not is_quick(submission())
    assert is_right(submission())
    assert is_quick(submission())
    assert is_right(submission())


def test_a_wrong_password_after_a_right_one_is_wrong(joe: Account) -> None:
    assert is_right(submission())
    for wrong in (b"pw ", b"", b"PW", b"pw\x00"):
        assert not is_quick(submission(password=wrong))
        assert not is_right(submission(password=wrong))
        assert not is_right(submission(password=wrong))


def test_two_users_with_one_password_share_nothing(joe: Account) -> None:
    services.save_account(Account(login="ann"), password=Secret("other"))
    services.save_account(Account(login="bob"), password=Secret("pw"))
    assert is_right(submission())
    assert not is_right(submission(b"ann"))
    assert not is_quick(submission(b"bob"))
    assert is_right(submission(b"bob"))


def test_two_protocols_share_nothing(joe: Account) -> None:
    assert is_right(submission())
    assert not is_quick(submission(protocol=Protocol.POP3))


CHANGES: dict[str, Callable[[Account], object]] = {
    "password": lambda joe: services.save_account(joe, password=Secret("new")),
    "hash": lambda joe: services.save_account(joe, imported_hash=SSHA),
    "hash in the database": lambda joe: Account.objects.update(password_hash=hash_password(b"new")),
    "disabled": lambda joe: _saved(joe, enabled=False),
    "protocol": lambda joe: _saved(joe, imap_enabled=False),
    "network": lambda joe: _saved(joe, networks="198.51.100.0/24"),
}


def _saved(account: Account, **changed: Any) -> Account:
    for name, value in changed.items():
        setattr(account, name, value)
    return services.save_account(account)


@pytest.mark.parametrize("change", CHANGES)
def test_after_a_change_a_verified_password_is_worth_nothing(joe: Account, change: str) -> None:
    assert is_right(submission())
    CHANGES[change](joe)
    assert not is_quick(submission())
    assert not is_right(submission())


def test_any_change_of_an_account_verifies_anew(joe: Account, second_host: MailHost) -> None:
    assert is_right(submission())
    _saved(joe, mail_host=second_host)
    assert not is_quick(submission())
    assert is_right(submission())


def test_an_account_deleted_and_made_again_is_another(joe: Account) -> None:
    assert is_right(submission())
    routing.delete([joe])
    services.save_account(Account(login="joe"), password=Secret("other"))
    assert not is_right(submission())


# --- imported hashes ------------------------------------------------------------------------------


def test_an_imported_hash_is_replaced_at_the_next_good_login(everybody: MailHost) -> None:
    account = services.save_account(Account(login="joe"), imported_hash=SSHA)
    assert not is_right(submission(password=b"wrong"))
    account.refresh_from_db()
    assert not is_ours(account.password_hash)
    assert is_right(submission(password=b"secret pw"))
    account.refresh_from_db()
    assert is_ours(account.password_hash)
    assert is_quick(submission(password=b"secret pw"))
    verify.verified().clear()
    assert is_right(submission(password=b"secret pw"))


@override_settings(REHASH_PASSWORDS=False)
def test_or_it_stays_if_the_setting_says_so(everybody: MailHost) -> None:
    account = services.save_account(Account(login="joe"), imported_hash=SSHA)
    assert is_right(submission(password=b"secret pw"))
    account.refresh_from_db()
    assert account.password_hash == SSHA.reveal()


# --- app passwords --------------------------------------------------------------------------------


def _app_password(account: Account, **scope: Any) -> bytes:
    one = AppPassword(account=account, name="phone", **scope)
    return services.issue_app_password(one).reveal().encode()


def test_an_app_password_needs_no_hash(joe: Account) -> None:
    given = _app_password(joe)
    assert is_quick(submission(password=given))
    assert is_right(submission(password=given))
    assert is_right(submission(password=given.upper().replace(b"-", b" ")))
    assert is_right(submission(password=given.replace(b"-", b"")))
    assert is_right(submission())


def test_an_app_password_is_only_its_own_account_s(joe: Account) -> None:
    services.save_account(Account(login="ann"), password=Secret("other"))
    given = _app_password(joe)
    assert not is_right(submission(b"ann", given))
    other_end = b"y" if given.endswith(b"x") else b"x"
    assert not is_right(submission(password=given[:-1] + other_end))


@pytest.mark.parametrize(
    ("scope", "asked"),
    [
        ({"imap_enabled": False}, {}),
        ({"pop3_enabled": False}, {"protocol": Protocol.POP3}),
        ({"smtp_enabled": False}, {"protocol": Protocol.SMTP}),
        ({"networks": "198.51.100.0/24"}, {}),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, {}),
    ],
)
def test_an_app_password_beyond_its_scope_is_a_wrong_password(
    joe: Account, scope: dict[str, Any], asked: dict[str, Any]
) -> None:
    given = _app_password(joe, **scope)
    assert not is_quick(submission(password=given, **asked))
    assert not is_right(submission(password=given, **asked))


def test_the_account_s_own_switches_go_before_its_app_passwords(joe: Account) -> None:
    given = _app_password(joe)
    _saved(joe, enabled=False)
    assert not is_quick(submission(password=given))
    assert not is_right(submission(password=given))


def test_a_revoked_app_password_is_worth_nothing(joe: Account) -> None:
    given = _app_password(joe)
    services.revoke_app_passwords(AppPassword.objects.all())
    assert not is_right(submission(password=given))


def test_a_proof_lasts_no_longer_than_the_app_password(joe: Account) -> None:
    given = _app_password(joe, expires_at=timezone.now() + timedelta(seconds=30))
    found = proof(submission(password=given))
    assert found.expires_in_s is not None
    assert 0 <= found.expires_in_s <= 30
    assert proof(submission(password=_app_password(joe))).expires_in_s is None


def test_its_last_use_is_noted_now_and_then(joe: Account) -> None:
    given = _app_password(joe)
    assert is_right(submission(password=given))
    first = AppPassword.objects.get()
    assert first.last_used_at is not None
    assert first.last_used_ip == "192.0.2.7"
    with CaptureQueriesContext(connection) as asked:
        assert is_right(submission(password=given))
    assert not [one for one in asked if one["sql"].startswith("UPDATE")]
    AppPassword.objects.update(last_used_at=timezone.now() - services.NOTE_USE_EVERY)
    assert is_right(submission(password=given, client_ip="::1"))
    assert AppPassword.objects.get().last_used_ip == "::1"


def test_after_an_app_password_the_mail_server_gets_the_real_one(joe: Account) -> None:
    given = _app_password(joe)
    assert proof(submission(password=given)).password is None
    services.save_account(joe, password=Secret("pw"), recoverable=True)
    assert proof(submission(password=given)).password == Secret("pw")


# --- without the password -------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [apop, cram])
def test_a_challenge_is_verified_with_a_readable_password(
    joe: Account, ask: Callable[..., AuthRequest]
) -> None:
    assert not is_right(ask(b"joe", b"pw"))
    services.save_account(joe, password=Secret("pw"), recoverable=True)
    assert proof(ask(b"joe", b"pw")) == verify.Proof(Answer.RIGHT, password=Secret("pw"))
    assert is_right(ask(b"JOE", b"pw"))
    for request in (
        ask(b"joe", b"wrong"),
        ask(b"joe", b""),
        ask(b"joe", b"pw", salt=b"<another@challenge>"),
        ask(b"joe", b"pw", salt=b""),
        ask(b"nobody", b"pw"),
        ask(b"nobody", b""),
        submission(b"joe", b"", method=ask(b"", b"").method, salt=b"<x@y>"),
    ):
        assert not is_quick(request)
        assert not is_right(request)
    _saved(joe, enabled=False)
    assert not is_right(ask(b"joe", b"pw"))


def test_a_new_password_is_also_the_readable_one_and_forgetting_forgets_both(joe: Account) -> None:
    services.save_account(joe, password=Secret("old"), recoverable=True)
    services.save_account(joe, password=Secret("new"))
    assert is_right(cram(b"joe", b"new"))
    assert not is_right(cram(b"joe", b"old"))
    services.save_account(joe, imported_hash=SSHA)
    assert queries.recoverable_secret(joe) is None
    services.save_account(joe, password=Secret("new"), recoverable=True)
    services.save_account(joe, forget_password=True)
    assert queries.recoverable_secret(joe) is None


def _certificate(subject: str, *, verified: bool = True) -> ClientCertificate:
    return ClientCertificate(verified=verified, subject=subject)


def test_a_certificate_is_for_the_login_it_names(joe: Account) -> None:
    services.save_account(joe, password=Secret("pw"), recoverable=True)
    asked = submission(b"joe", b"", method="external")
    good = _certificate("CN=Joe,O=Acme\\, Inc")
    assert proof(asked, good) == verify.Proof(Answer.RIGHT, password=Secret("pw"))
    for wrong in (
        _certificate("CN=ann"),
        _certificate("CN=Joe", verified=False),
        _certificate("O=joe"),
        _certificate("O=x\\,CN=joe"),
        _certificate(""),
    ):
        assert not is_right(asked, wrong)
    assert not is_right(submission(b"ann", b"", method="external"), good)
    with override_settings(CERTIFICATE_LOGIN="O"):
        assert is_right(asked, _certificate("O=joe"))


def test_a_certificate_without_a_readable_password_is_for_smtp_only(joe: Account) -> None:
    asked = submission(b"joe", b"", method="external")
    assert not is_right(asked, _certificate("CN=joe"))
    asked.protocol = Protocol.SMTP
    assert is_right(asked, _certificate("CN=joe"))
    _saved(joe, enabled=False)
    assert not is_right(asked, _certificate("CN=joe"))


# --- the same work for everybody ------------------------------------------------------------------


def test_a_password_that_looks_like_an_app_password_asks_the_same_for_anybody(
    joe: Account,
) -> None:
    asked = []
    for login in (b"joe", b"nobody"):
        with CaptureQueriesContext(connection) as found:
            begin(submission(login, b"abcde-fghij-kmnpq-rstuv"))
        asked.append(len(found))
    assert asked == [3, 3]
