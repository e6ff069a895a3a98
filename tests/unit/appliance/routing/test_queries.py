"""Queries compiled once answer as the ORM does, whatever is asked."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appliance.routing import queries, services
from appliance.routing.choices import MatchKind
from appliance.routing.models import Account, MailHost, Route
from appliance.routing.rules import Login
from proxycore.contract.protocol import Protocol


def test_an_account_comes_with_its_mail_host(first_host: MailHost) -> None:
    services.save_account(Account(login="joe", mail_host=first_host, enabled=False))
    with CaptureQueriesContext(connection) as asked:
        _, account = queries.find_account(Login.read(b"Joe"))
        assert account is not None
        assert account.mail_host == first_host
        assert account.mail_host.port(Protocol.SMTP) == 25
        assert account.enabled is False
    assert len(asked) == 1


def test_an_account_may_have_no_mail_host(db: None) -> None:
    services.save_account(Account(login="ann"))
    _, account = queries.find_account(Login.read(b"ann"))
    assert account is not None
    assert (account.mail_host, account.enabled, account.password_hash) == (None, True, "")
    assert queries.find_account(Login.read(b"bob"))[1] is None


def test_one_query_after_the_other_is_about_its_own_values(
    first_host: MailHost, second_host: MailHost
) -> None:
    for login, host in (("ann", first_host), ("bob", second_host)):
        services.save_route(Route(match=MatchKind.USER, value=login, mail_host=host))
    for login, host in ((b"ann", first_host), (b"bob", second_host), (b"ann", first_host)):
        (route,) = queries.candidates(Login.read(login), Protocol.IMAP)
        assert route.mail_host == host


def test_a_login_that_looks_like_a_marker_is_only_a_login(first_host: MailHost) -> None:
    services.save_account(Account(login="<login>"))
    services.save_route(Route(match=MatchKind.USER, value="<domain>", mail_host=first_host))
    assert queries.find_account(Login.read(b"joe"))[1] is None
    assert queries.find_account(Login.read(b"<login>"))[1] is not None
    assert queries.candidates(Login.read(b"joe"), Protocol.IMAP) == []
    assert len(queries.candidates(Login.read(b"<domain>"), Protocol.IMAP)) == 1


def test_routes_come_in_order_and_for_the_protocol(first_host: MailHost) -> None:
    for position, protocol in ((30, ""), (10, "smtp"), (20, "imap")):
        services.save_route(
            Route(
                match=MatchKind.DEFAULT, position=position, protocol=protocol, mail_host=first_host
            )
        )
    found = queries.candidates(Login.read(b"joe"), Protocol.IMAP)
    assert [route.position for route in found] == [20, 30]


def test_very_many_routes_are_not_looked_through(
    first_host: MailHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    for position in (1, 2):
        services.save_route(Route(match=MatchKind.DEFAULT, position=position, mail_host=first_host))
    assert len(queries.unreachable()) == 1
    monkeypatch.setattr(queries, "_LOOKED_THROUGH", 1)
    assert queries.unreachable() == {}
