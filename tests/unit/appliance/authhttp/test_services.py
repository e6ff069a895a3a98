"""The verdict on a login: same words, same work, whatever is wrong."""

import time
from statistics import median

import pytest
from django.conf import settings

from appliance.authhttp import services
from appliance.authhttp.callers import NODE, Caller
from appliance.credentials import verify
from appliance.routing import services as routing
from appliance.routing.models import Account
from proxycore.contract.authhttp import AuthFailed, AuthOk, AuthRequest
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret

REFUSAL = AuthFailed(text=b"Invalid login or password", wait_s=settings.AUTH_WAIT_S)


NGINX = Caller(obeys_proxy_auth=False)


def _ask(
    login: bytes,
    password: bytes = b"pw",
    method: str = "plain",
    *,
    protocol: Protocol = Protocol.IMAP,
    caller: Caller = NODE,
) -> AuthOk | AuthFailed:
    asked = AuthRequest(
        protocol=protocol,
        method=method,
        login=login,
        password=password,
        attempt=1,
        client_ip="192.0.2.7",
    )
    return services.answer(asked, caller)


@pytest.fixture
def accounts(listing: None) -> None:
    """An account with a password, one without, and one of each that is off."""
    routing.save_account(Account(login="joe"), password=Secret("right"))
    routing.save_account(Account(login="ann"))
    routing.save_account(Account(login="off", enabled=False), password=Secret("right"))
    routing.save_account(Account(login="gone", enabled=False))


def test_a_right_password_is_let_in(accounts: None) -> None:
    assert _ask(b"joe", b"right") == AuthOk(server="192.168.1.33", port=143)


def test_without_a_stored_password_the_mail_server_verifies(accounts: None) -> None:
    assert _ask(b"ann", b"anything") == AuthOk(server="192.168.1.22", port=143)
    assert _ask(b"unknown", b"anything") == AuthOk(server="192.168.1.33", port=143)


@pytest.mark.parametrize("login", [b"ann", b"unknown"])
def test_an_smtp_server_only_verifies_if_it_is_shown_the_password(
    accounts: None, login: bytes
) -> None:
    """It would believe XCLIENT LOGIN, so nobody is told of a login who would send that."""
    found = _ask(login, protocol=Protocol.SMTP)
    assert isinstance(found, AuthOk)
    assert found.proxy_auth is True
    assert _ask(login, protocol=Protocol.SMTP, caller=NGINX) == REFUSAL
    for protocol in (Protocol.IMAP, Protocol.POP3):
        found = _ask(login, protocol=protocol, caller=NGINX)
        assert isinstance(found, AuthOk)
        assert found.proxy_auth is None


@pytest.mark.parametrize("caller", [NODE, NGINX])
def test_a_login_that_was_verified_here_needs_no_second_verification(
    accounts: None, caller: Caller
) -> None:
    expected = AuthOk(server="192.168.1.33", port=25)
    assert _ask(b"joe", b"right", protocol=Protocol.SMTP, caller=caller) == expected
    assert _ask(b"joe", b"wrong", protocol=Protocol.SMTP, caller=caller) == REFUSAL


@pytest.mark.parametrize(
    ("login", "password"),
    [(b"joe", b"wrong"), (b"joe", b""), (b"joe", b"right\x00"), (b"off", b"right"), (b"gone", b"")],
)
def test_refusals_are_all_the_same(accounts: None, login: bytes, password: bytes) -> None:
    assert _ask(login, password) == REFUSAL


def test_a_login_without_a_route_is_refused_alike(db: None) -> None:
    assert _ask(b"joe", b"right") == REFUSAL


@pytest.mark.parametrize("method", ["apop", "cram-md5", "external", "xoauth2", ""])
def test_what_cannot_be_verified_is_refused(accounts: None, method: str) -> None:
    assert _ask(b"joe", b"right", method) == REFUSAL
    assert _ask(b"ann", b"", method) == REFUSAL


def test_every_refusal_costs_one_verification(
    accounts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = verify.verify_password, []

    def count(stored: str, password: bytes) -> bool:
        calls.append(stored)
        return real(stored, password)

    monkeypatch.setattr(verify, "verify_password", count)
    for login, method in (
        (b"joe", "plain"),
        (b"off", "plain"),
        (b"gone", "plain"),
        (b"ann", "apop"),
    ):
        calls.clear()
        assert isinstance(_ask(login, b"wrong", method), AuthFailed)
        assert len(calls) == 1, login
    for login in (b"ann", b"unknown"):
        calls.clear()
        assert _ask(login, protocol=Protocol.SMTP, caller=NGINX) == REFUSAL
        assert len(calls) == 1, login


def test_unknown_and_known_take_about_the_same_time(db: None) -> None:
    routing.save_account(Account(login="joe"), password=Secret("right"))
    times: dict[bytes, list[float]] = {b"joe": [], b"unknown": []}
    for _ in range(15):
        for login, taken in times.items():
            began = time.perf_counter()
            _ask(login, b"wrong")
            taken.append(time.perf_counter() - began)
    known, unknown = (median(taken) for taken in times.values())
    # a missing verification would be a factor of 20 or more
    assert 1 / 3 < known / unknown < 3
