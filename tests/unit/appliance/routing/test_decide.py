"""Who goes where: the seed's vectors, the order of rules, and what it costs."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appliance.lib.hashing import verify_password
from appliance.routing import services
from appliance.routing.choices import MatchKind
from appliance.routing.decide import Decision, DecisionInput, decide
from appliance.routing.models import Account, MailHost, Route
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret


def _decide(login: bytes, protocol: Protocol = Protocol.IMAP) -> Decision:
    return decide(DecisionInput(protocol, login))


def _route(host: MailHost, match: MatchKind, value: str = "", **more: Any) -> Route:
    return services.save_route(Route(mail_host=host, match=match, value=value, **more))


@pytest.fixture
def listing(first_host: MailHost, second_host: MailHost) -> None:
    """Listing 15-2 as data."""
    _route(first_host, MatchKind.LETTERS, "acfg")
    _route(second_host, MatchKind.DEFAULT)


@pytest.mark.parametrize(
    ("login", "protocol", "server", "port"),
    [
        (b"alice", "pop3", "192.168.1.22", 110),
        (b"bob", "pop3", "192.168.1.33", 110),
        (b"carol", "imap", "192.168.1.22", 143),
        (b"dave", "imap", "192.168.1.33", 143),
        (b"frank", "smtp", "192.168.1.22", 25),
        (b"grace", "imap", "192.168.1.22", 143),
        (b"Alice", "imap", "192.168.1.33", 143),
        (b"", "pop3", "192.168.1.33", 110),
        (b"zoe", "pop3", "192.168.1.33", 110),
    ],
)
def test_the_vectors_of_listing_15_2(
    listing: None, login: bytes, protocol: str, server: str, port: int
) -> None:
    decision = _decide(login, Protocol(protocol))
    assert decision.host is not None
    assert decision.host.address == server
    assert decision.host.port(Protocol(protocol)) == port


def test_the_first_route_that_fits_decides(first_host: MailHost, second_host: MailHost) -> None:
    _route(second_host, MatchKind.DEFAULT, position=50)
    _route(first_host, MatchKind.DOMAIN, "example.com", position=20)
    assert _decide(b"joe@example.com").host == first_host
    _route(second_host, MatchKind.USER, "joe@example.com", position=10)
    assert _decide(b"JOE@example.com").host == second_host
    assert _decide(b"ann@example.com").host == first_host


def test_a_route_may_be_for_one_protocol_only(first_host: MailHost, second_host: MailHost) -> None:
    _route(first_host, MatchKind.PATTERN, "j.*", protocol="smtp")
    _route(second_host, MatchKind.DEFAULT)
    assert _decide(b"joe", Protocol.SMTP).host == first_host
    assert _decide(b"joe", Protocol.IMAP).host == second_host


def test_a_route_that_is_off_does_not_count(first_host: MailHost) -> None:
    _route(first_host, MatchKind.DEFAULT, enabled=False)
    assert _decide(b"joe").host is None


def test_a_fixed_mail_host_goes_before_every_route(
    first_host: MailHost, second_host: MailHost
) -> None:
    _route(first_host, MatchKind.USER, "joe")
    services.save_account(Account(login="Joe", mail_host=second_host))
    assert _decide(b"jOE").host == second_host


def test_an_account_that_is_off_goes_nowhere(listing: None, first_host: MailHost) -> None:
    services.save_account(Account(login="alice", enabled=False, mail_host=first_host))
    decision = _decide(b"alice")
    assert decision.is_refused
    assert decision.host is None


def test_without_a_route_a_login_goes_nowhere(db: None) -> None:
    decision = _decide(b"joe")
    assert decision.is_refused
    assert decision.steps == ()


def test_the_steps_say_what_was_tried(listing: None) -> None:
    services.save_account(Account(login="bob"))
    assert [str(step) for step in _decide(b"bob").steps] == [
        "account bob is enabled: fits",
        "route 10, the first letter is one of a c f g: does not fit",
        "route 20, everybody else: fits",
    ]


@pytest.mark.parametrize("login", [bytes(range(256)), b"\xc3\x28", b"a\x00", "é".encode()])
def test_any_bytes_are_decided(listing: None, login: bytes) -> None:
    assert _decide(login).host is not None


def test_it_takes_two_queries_however_many_there_are(listing: None, first_host: MailHost) -> None:
    services.save_account(Account(login="alice", mail_host=first_host))
    Route.objects.bulk_create(
        Route(mail_host=first_host, match=MatchKind.USER, value=f"user{i}", position=5)
        for i in range(200)
    )
    # a fixed mail host needs no routes
    for login, expected in ((b"alice", 1), (b"user150", 2), (b"nobody", 2)):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            decision = _decide(login)
        assert len(queries) == expected
        assert len(decision.steps) <= 3


@pytest.mark.parametrize("protocol", list(Protocol))
def test_an_account_has_a_switch_for_each_protocol(listing: None, protocol: Protocol) -> None:
    account = Account(login="bob")
    setattr(account, f"{protocol.value}_enabled", False)
    services.save_account(account)
    for one in Protocol:
        decision = _decide(b"bob", one)
        assert decision.is_refused is (one is protocol)
    refused = _decide(b"bob", protocol)
    assert f"account bob may use {protocol.value.upper()}: does not fit" in map(str, refused.steps)


@pytest.mark.parametrize(
    ("client_ip", "refused"),
    [("192.0.2.9", False), ("192.0.3.9", True), ("unix:", True), ("", True), (None, False)],
)
def test_an_account_can_be_bound_to_networks(
    listing: None, client_ip: str | None, refused: bool
) -> None:
    services.save_account(Account(login="bob", networks="192.0.2.0/24"))
    decision = decide(DecisionInput(Protocol.IMAP, b"bob", client_ip))
    assert decision.is_refused is refused


def test_the_route_that_decided_is_told(listing: None, first_host: MailHost) -> None:
    services.save_account(Account(login="fix", mail_host=first_host))
    assert _decide(b"fix").route is None
    route = _decide(b"bob").route
    assert route is not None
    assert route.match == MatchKind.DEFAULT


def test_the_password_of_an_account_is_stored_as_a_hash(db: None) -> None:
    account = services.save_account(Account(login="joe"), password=Secret("sésame"))
    assert "sésame" not in account.password_hash
    assert verify_password(account.password_hash, "sésame".encode())
