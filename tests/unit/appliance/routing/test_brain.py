"""Cohorts, times, held logins, rewriting, alias domains, mail hosts that take no logins."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from appliance.routing import queries, services
from appliance.routing.choices import HostState, LoginRewrite, MatchKind, RouteAction
from appliance.routing.decide import Decision, DecisionInput, Hold, decide
from appliance.routing.models import Account, DomainAlias, MailHost, Route
from appliance.routing.rules import Login
from proxycore.contract.protocol import Protocol

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
USERS = [b"user%d@example.com" % i for i in range(400)]


def _decide(login: bytes, now: datetime | None = None) -> Decision:
    return decide(DecisionInput(Protocol.IMAP, login, now=now))


def _route(host: MailHost, match: MatchKind = MatchKind.DEFAULT, **more: Any) -> Route:
    others = more.pop("others", None)
    return services.save_route(Route(mail_host=host, match=match, **more), others)


def _set(host: MailHost, state: HostState) -> None:
    host.state = state
    services.save_mail_host(host)


# --- who --------------------------------------------------------------------------------------


def test_a_prefix_is_the_beginning_of_a_login(first_host: MailHost) -> None:
    _route(first_host, MatchKind.PREFIX, value="Sales-")
    assert _decide(b"sales-joe@example.com").host == first_host
    assert _decide(b"SALES-").host == first_host
    assert _decide(b"presales-").host is None
    assert _decide(b"sales-\xff").host is None


def test_a_growing_cohort_moves_nobody_back(first_host: MailHost, second_host: MailHost) -> None:
    cohort = _route(second_host, MatchKind.DOMAIN, value="example.com", percent=1)
    _route(first_host)
    moved: set[bytes] = set()
    for percent in (1, 10, 50, 99, 100):
        cohort.percent = percent
        services.save_route(cohort)
        now = {user for user in USERS if _decide(user).host == second_host}
        assert moved <= now
        assert abs(len(now) - percent * 4) < 40
        moved = now
    assert moved == set(USERS)


def test_each_route_begins_with_the_same_logins(
    first_host: MailHost, second_host: MailHost
) -> None:
    for protocol in ("imap", "smtp"):
        _route(second_host, percent=30, protocol=protocol)
    _route(first_host)
    by_smtp = {u for u in USERS if decide(DecisionInput(Protocol.SMTP, u)).host == second_host}
    assert by_smtp == {user for user in USERS if _decide(user).host == second_host}
    # and however the login is written
    assert {user for user in USERS if _decide(user.upper()).host == second_host} == by_smtp


def test_the_place_in_a_cohort_is_for_ever(db: None) -> None:
    # a release that hashed otherwise would move mailboxes: these numbers must never change
    found = [Login.read(login).hundredth for login in (b"joe@example.com", b"ann", b"", b"\xff")]
    assert found == [99, 37, 76, 77]


# --- when -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "is_second", "changes_at"),
    [
        (NOON - HOUR, False, NOON),
        (NOON, True, NOON + HOUR),
        (NOON + HOUR - timedelta(seconds=1), True, NOON + HOUR),
        (NOON + HOUR, False, None),
    ],
)
def test_a_route_has_its_time(
    first_host: MailHost,
    second_host: MailHost,
    at: datetime,
    is_second: bool,
    changes_at: datetime | None,
) -> None:
    _route(second_host, MatchKind.USER, value="joe", starts_at=NOON, ends_at=NOON + HOUR)
    _route(first_host)
    decision = _decide(b"joe", at)
    assert decision.host == (second_host if is_second else first_host)
    assert decision.changes_at == changes_at
    assert _decide(b"ann", at).changes_at is None


def test_the_soonest_change_counts(first_host: MailHost, second_host: MailHost) -> None:
    _route(second_host, position=10, starts_at=NOON + 3 * HOUR)
    _route(second_host, position=20, starts_at=NOON + HOUR)
    _route(first_host, position=30)
    # behind the route that decides, nothing changes anything
    _route(second_host, position=40, starts_at=NOON + HOUR / 2)
    assert _decide(b"joe", NOON).changes_at == NOON + HOUR


def test_a_time_that_ends_before_it_begins_is_refused(first_host: MailHost) -> None:
    with pytest.raises(ValidationError, match="not after its beginning"):
        _route(first_host, starts_at=NOON, ends_at=NOON)


# --- held -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "hold"), [(RouteAction.LATER, Hold.LATER), (RouteAction.WAIT, Hold.WAIT)]
)
def test_a_route_can_hold_logins(first_host: MailHost, action: RouteAction, hold: Hold) -> None:
    _route(first_host, action=action)
    decision = _decide(b"joe")
    assert (decision.hold, decision.held_because) == (hold, "route 10 holds logins")


@pytest.mark.parametrize("state", [HostState.DOWN, HostState.DRAINING])
def test_a_login_of_a_mail_host_that_is_away_goes_nowhere_else(
    first_host: MailHost, second_host: MailHost, state: HostState
) -> None:
    _route(first_host, MatchKind.DOMAIN, value="example.com")
    _route(second_host)
    services.save_account(Account(login="fix", mail_host=first_host))
    _set(first_host, state)
    for login in (b"joe@example.com", b"fix"):
        decision = _decide(login)
        assert decision.host == first_host
        assert decision.hold is Hold.LATER
        assert decision.held_because == f"mail host mailhost01 is {state.value}"
    assert _decide(b"ann").hold is None


# --- several mail hosts -----------------------------------------------------------------------


@pytest.fixture
def third_host(db: None) -> MailHost:
    return services.save_mail_host(MailHost(name="mailhost03", address="192.168.1.44"))


def test_logins_are_spread_by_weight_and_stay(
    first_host: MailHost, second_host: MailHost, third_host: MailHost
) -> None:
    second_host.weight, third_host.weight = 3, 0
    for host in (second_host, third_host):
        services.save_mail_host(host)
    _route(first_host, others=[second_host, third_host])
    before = {user: _decide(user).host for user in USERS}
    counts = [list(before.values()).count(one) for one in (first_host, second_host, third_host)]
    assert sum(counts) == len(USERS)
    assert 70 < counts[0] < 130
    assert counts[2] == 0
    # another host takes some from the others, and moves nobody between them
    third_host.weight = 4
    services.save_mail_host(third_host)
    for user, host in before.items():
        assert _decide(user).host in (host, third_host)


def test_a_draining_mail_host_gives_its_logins_to_the_others_of_its_route(
    first_host: MailHost, second_host: MailHost
) -> None:
    _route(first_host, others=[second_host])
    on_second = [user for user in USERS if _decide(user).host == second_host]
    _set(first_host, HostState.DRAINING)
    assert {_decide(user).host for user in USERS} == {second_host}
    assert all(_decide(user).hold is None for user in USERS)
    # down is another matter: whoever is there waits, nobody else does
    _set(first_host, HostState.DOWN)
    assert [user for user in USERS if _decide(user).hold is None] == on_second
    for host in (first_host, second_host):
        _set(host, HostState.DRAINING)
    assert _decide(USERS[0]).hold is Hold.LATER


def test_the_mail_hosts_of_a_route_are_kept_changed_and_protected(
    first_host: MailHost, second_host: MailHost, third_host: MailHost
) -> None:
    route = _route(first_host, others=[second_host, first_host])
    assert queries.shares(route.pk) == [second_host]
    services.save_route(route)
    assert queries.shares(route.pk) == [second_host]
    with pytest.raises(ProtectedError):
        services.delete([second_host])
    services.save_route(route, [third_host])
    assert queries.shares(route.pk) == [third_host]
    services.save_route(route, [])
    route.refresh_from_db()
    assert route.is_spread is False


def test_only_a_route_with_several_mail_hosts_costs_a_query_more(
    first_host: MailHost, second_host: MailHost
) -> None:
    _route(first_host, MatchKind.USER, value="joe", others=[second_host])
    _route(first_host)
    for login, expected in ((b"joe", 3), (b"ann@example.com", 2)):
        with CaptureQueriesContext(connection) as asked:
            _decide(login)
        assert len(asked) == expected


# --- what the mail server is told -------------------------------------------------------------


@pytest.mark.parametrize(
    ("rewrite", "to", "login", "told"),
    [
        (LoginRewrite.KEEP, "", b"Joe@example.com", None),
        (LoginRewrite.STRIP, "", b"Joe@example.com", b"Joe"),
        (LoginRewrite.STRIP, "", b"joe", None),
        (LoginRewrite.STRIP, "", b"@example.com", None),
        (LoginRewrite.ADD, "@Example.org", b"joe", b"joe@example.org"),
        (LoginRewrite.ADD, "example.org", b"joe@example.com", None),
        (LoginRewrite.ADD, "example.org", b"j\xffe", b"j\xffe@example.org"),
        (LoginRewrite.FIXED, "archive", b"joe", b"archive"),
    ],
)
def test_a_route_can_rewrite_the_login(
    first_host: MailHost, rewrite: LoginRewrite, to: str, login: bytes, told: bytes | None
) -> None:
    _route(first_host, rewrite=rewrite, rewrite_to=to)
    assert _decide(login).back_login == told


def test_an_account_says_itself_what_it_is_called_there(first_host: MailHost) -> None:
    _route(first_host, rewrite=LoginRewrite.FIXED, rewrite_to="archive")
    services.save_account(Account(login="joe", back_login="u1001"))
    assert _decide(b"joe").back_login == b"u1001"


@pytest.mark.parametrize(
    ("rewrite", "to"),
    [("add", ""), ("fixed", " "), ("add", "a@b"), ("fixed", "a\nb")],
)
def test_a_rewriting_that_makes_no_login_is_refused(
    first_host: MailHost, rewrite: str, to: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        _route(first_host, rewrite=rewrite, rewrite_to=to)
    assert "rewrite_to" in refused.value.error_dict


# --- alias domains ----------------------------------------------------------------------------


def test_a_login_of_an_alias_domain_is_one_of_the_domain(
    first_host: MailHost, second_host: MailHost
) -> None:
    services.save_alias(DomainAlias(domain="@Example.NET", target="example.com"))
    _route(first_host, MatchKind.DOMAIN, value="example.com")
    _route(second_host)
    account = services.save_account(Account(login="joe@example.com"))
    decision = _decide(b"Joe@example.net")
    assert (decision.host, decision.account) == (first_host, account)
    assert decision.back_login == b"Joe@example.com"
    assert str(decision.steps[0]) == "example.net is an alias of example.com: fits"
    assert _decide(b"joe@example.org").host == second_host
    assert _decide(b"example.net").host == second_host


def test_a_changed_account_concerns_its_alias_logins_too(first_host: MailHost) -> None:
    services.save_alias(DomainAlias(domain="example.net", target="example.com"))
    before = queries.generation()
    services.save_account(Account(login="joe@example.com"))
    told = queries.changed_logins(before, queries.generation())
    assert told == ("joe@example.com", "joe@example.net")


def test_an_alias_of_an_alias_is_refused(db: None) -> None:
    services.save_alias(DomainAlias(domain="b", target="c"))
    for domain, target in (("a", "b"), ("c", "d"), ("x", "x"), ("", "c")):
        with pytest.raises(ValidationError):
            services.save_alias(DomainAlias(domain=domain, target=target))


def test_a_new_alias_domain_concerns_everybody(db: None) -> None:
    before = queries.generation()
    services.save_alias(DomainAlias(domain="b", target="c"))
    assert queries.changed_logins(before, queries.generation()) is None


# --- reach ------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [{"percent": 99}, {"ends_at": timezone.now() + HOUR}])
def test_a_route_for_some_or_for_a_time_hides_no_other(
    first_host: MailHost, limit: dict[str, Any]
) -> None:
    _route(first_host, position=1, **limit)
    _route(first_host, position=2)
    assert queries.unreachable() == {}
