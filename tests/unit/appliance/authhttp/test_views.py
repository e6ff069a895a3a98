"""The auth_http view on raw headers."""

import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from appliance.authhttp import services, views
from appliance.authhttp.models import CallerSecret
from appliance.routing import services as routing
from appliance.routing.models import Account
from proxycore.contract.authhttp import AuthFailed, AuthOk, escape, read_reply_headers
from proxycore.contract.secret import Secret
from tests.unit.appliance.authhttp.conftest import SECRET, Raw, request, without

FAILURE = [
    (b"Auth-Status", b"Invalid login or password"),
    (b"Auth-Wait", str(settings.AUTH_WAIT_S).encode()),
]


def _ok(server: bytes, port: bytes) -> views.Reply:
    return 200, [(b"Auth-Status", b"OK"), (b"Auth-Server", server), (b"Auth-Port", port)]


@pytest.mark.parametrize(
    ("login", "protocol", "server", "port"),
    [
        (b"alice", b"pop3", b"192.168.1.22", b"110"),
        (b"bob", b"pop3", b"192.168.1.33", b"110"),
        (b"carol", b"imap", b"192.168.1.22", b"143"),
        (b"dave", b"imap", b"192.168.1.33", b"143"),
        (b"grace", b"imap", b"192.168.1.22", b"143"),
        (b"Alice", b"imap", b"192.168.1.33", b"143"),
        (b"", b"pop3", b"192.168.1.33", b"110"),
    ],
)
def test_the_vectors_of_listing_15_2(
    listing: None, login: bytes, protocol: bytes, server: bytes, port: bytes
) -> None:
    assert views.answer(request(login, auth_protocol=protocol)) == _ok(server, port)


@pytest.mark.parametrize(
    ("login", "server"), [(b"frank", b"192.168.1.22"), (b"ZOE", b"192.168.1.33")]
)
def test_the_listing_s_vectors_for_smtp_once_somebody_has_verified_the_password(
    listing: None, login: bytes, server: bytes
) -> None:
    """As in the listing, whose authuser() verifies; without an account nobody here would."""
    asked = request(login, auth_protocol=b"smtp")
    status, headers = _ok(server, b"25")
    assert views.answer(asked) == (status, [*headers, (b"Auth-Proxy-Auth", b"on")])
    routing.save_account(Account(login=login.decode()), password=Secret("pw"))
    assert views.answer(asked) == (status, headers)


def test_without_a_protocol_the_port_is_that_of_pop3(listing: None) -> None:
    assert views.answer(without(request(b"zoe"), b"auth-protocol")) == _ok(b"192.168.1.33", b"110")


@pytest.mark.parametrize("missing", [b"auth-user", b"auth-pass"])
def test_an_absent_header_is_a_failure(listing: None, missing: bytes) -> None:
    assert views.answer(without(request(), missing)) == (200, FAILURE)


@pytest.mark.parametrize("name", ["auth_protocol", "auth_login_attempt"])
def test_nonsense_is_a_failure(listing: None, name: str) -> None:
    assert views.answer(request(**{name: b"\xff"})) == (200, FAILURE)


def test_nginx_is_answered_by_its_secret(listing: None, nginx: CallerSecret) -> None:
    raw = without(request(x_ngx_auth_key=SECRET.encode()), b"x-postroad-node-token")
    assert views.answer(raw) == _ok(b"192.168.1.22", b"143")


def test_nginx_is_told_of_no_smtp_login_that_nobody_has_verified(
    listing: None, nginx: CallerSecret
) -> None:
    more = {"auth_protocol": b"smtp", "x_ngx_auth_key": SECRET.encode()}
    raw = without(request(**more), b"x-postroad-node-token")
    assert views.answer(raw) == (200, FAILURE)
    nginx.proxy_smtp_auth = True
    services.save_caller_secret(nginx)
    assert (b"Auth-Proxy-Auth", b"on") in views.answer(raw)[1]


def test_anybody_else_gets_403_and_nothing_else(listing: None, nginx: CallerSecret) -> None:
    assert views.answer(without(request(), b"x-postroad-node-token")) == (403, [])
    assert views.answer(request(x_postroad_node_token=b"wrong")) == (403, [])
    assert views.answer([]) == (403, [])


@pytest.mark.parametrize(
    "extra",
    [
        (b"auth-user", b"alice"),
        (b"Auth-Pass", b"other"),
        (b"client-ip", b"127.0.0.1"),
        (b"auth_user", b"bob"),
        (b"client_ip", b"127.0.0.1"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(listing: None, extra: tuple[bytes, bytes]) -> None:
    raw: Raw = [*request(), extra]
    assert views.answer(raw) == (400, [])
    assert views.answer([extra, *request()]) == (400, [])


def test_a_second_proof_does_not_help_a_stranger(listing: None) -> None:
    token = b"x-postroad-node-token"
    good = dict(request())[token]
    assert views.answer([*request(x_postroad_node_token=b"x"), (token, good)])[0] == 400
    assert views.answer([*request(), (token, b"x")])[0] == 403


@pytest.mark.parametrize("byte", range(256))
def test_any_byte_in_login_and_password_is_answered_cleanly(listing: None, byte: int) -> None:
    value = b"a" + bytes([byte])
    status, headers = views.answer(request(escape(value), escape(value)))
    assert status == 200
    verdict = read_reply_headers(name + b": " + text for name, text in headers)
    assert verdict == AuthOk(server="192.168.1.22", port=143)


def test_all_bytes_at_once_unescaped_are_answered_cleanly(listing: None) -> None:
    every = bytes(range(256))
    assert views.answer(request(every, every)) == _ok(b"192.168.1.33", b"143")


def test_a_password_of_any_bytes_is_compared_as_bytes(listing: None) -> None:
    routing.save_account(Account(login="joe"), password=Secret("p\r\nwé %"))
    raw = "p\r\nwé %".encode()
    assert views.answer(request(b"joe", escape(raw)))[1][0] == (b"Auth-Status", b"OK")
    latin = "p\r\nwé %".encode("latin-1")
    assert views.answer(request(b"joe", escape(latin))) == (200, FAILURE)


def test_without_a_wait_the_client_is_sent_away(listing: None) -> None:
    routing.save_account(Account(login="joe", enabled=False))
    with override_settings(AUTH_WAIT_S=0):
        _, headers = views.answer(request(b"joe"))
    assert headers == FAILURE[:1]


def test_the_failure_reads_back_as_the_contract_means_it(db: None) -> None:
    _, headers = views.answer(request())
    verdict = read_reply_headers(name + b": " + text for name, text in headers)
    assert verdict == AuthFailed(text=b"Invalid login or password", wait_s=settings.AUTH_WAIT_S)


def test_an_answer_takes_two_queries_with_a_token_and_three_with_a_secret(
    listing: None, nginx: CallerSecret
) -> None:
    """The fleet's look-up of a node's token is one more, and counted there."""
    for _ in range(5):
        services.save_caller_secret(CallerSecret(name=f"caller {_}", secret=SECRET * 2))
    with CaptureQueriesContext(connection) as queries:
        views.answer(request())
    assert len(queries) == 2
    with CaptureQueriesContext(connection) as queries:
        views.answer(request(x_postroad_node_token=b"", x_ngx_auth_key=SECRET.encode()))
    assert len(queries) == 3
