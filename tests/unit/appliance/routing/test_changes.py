"""Whom a change concerns: what nodes are told to forget, and when they forget everything."""

from collections.abc import Callable

import pytest

from appliance.credentials import services as credentials
from appliance.credentials.models import AppPassword
from appliance.routing import queries, services
from appliance.routing.choices import MatchKind
from appliance.routing.models import Account, Change, MailHost, Route
from proxycore.contract.messages import MAX_LOGINS
from proxycore.contract.secret import Secret


def concerned(act: Callable[[], object]) -> tuple[str, ...] | None:
    before = queries.generation()
    act()
    return queries.changed_logins(before, queries.generation())


def test_an_account_concerns_its_login_also_the_one_it_had(db: None) -> None:
    account = Account(login="Joe")
    assert concerned(lambda: services.save_account(account)) == ("joe",)
    account.enabled = False
    assert concerned(lambda: services.save_account(account)) == ("joe",)
    account.login = "jim"
    assert concerned(lambda: services.save_account(account)) == ("jim", "joe")
    assert concerned(lambda: services.delete([account])) == ("jim",)


def test_a_renamed_account_concerns_the_login_in_the_database(db: None) -> None:
    account = services.save_account(Account(login="joe"))
    seen_before = Account.objects.get(pk=account.pk)
    account.login = "jim"
    services.save_account(account)
    seen_before.login = "ann"
    assert concerned(lambda: services.save_account(seen_before)) == ("ann", "jim")


def test_credentials_concern_their_account(db: None) -> None:
    account = credentials.save_account(Account(login="joe"), password=Secret("first"))
    assert concerned(lambda: credentials.save_account(account, password=Secret("other"))) == (
        "joe",
    )
    phone = AppPassword(account=account, name="phone")
    assert concerned(lambda: credentials.issue_app_password(phone)) == ("joe",)
    assert concerned(lambda: credentials.revoke_app_passwords([phone])) == ("joe",)


def test_a_route_for_one_user_concerns_that_user(first_host: MailHost) -> None:
    route = Route(match=MatchKind.USER, value="Joe", mail_host=first_host)
    assert concerned(lambda: services.save_route(route)) == ("joe",)
    route.value = "jim"
    assert concerned(lambda: services.save_route(route)) == ("jim", "joe")
    route.match, route.value = MatchKind.DOMAIN, "example.com"
    assert concerned(lambda: services.save_route(route)) is None
    route.match, route.value = MatchKind.USER, "joe"
    assert concerned(lambda: services.save_route(route)) is None
    assert concerned(lambda: services.delete([route])) == ("joe",)


def test_what_may_concern_anybody_concerns_everybody(first_host: MailHost) -> None:
    route = Route(match=MatchKind.DEFAULT, mail_host=first_host)
    assert concerned(lambda: services.save_route(route)) is None
    assert concerned(lambda: services.save_mail_host(first_host)) is None
    account = services.save_account(Account(login="joe"))
    assert concerned(lambda: services.delete([account, route])) is None


def test_several_changes_are_told_together(db: None) -> None:
    def act() -> None:
        for login in ("joe", "ann", "joe"):
            services.bump_generation([login])

    assert concerned(act) == ("ann", "joe")


def test_one_change_of_everybody_among_others_is_one_of_everybody(db: None) -> None:
    def act() -> None:
        services.bump_generation(["joe"])
        services.bump_generation()
        services.bump_generation(["ann"])

    assert concerned(act) is None


@pytest.mark.parametrize("at_once", [True, False])
def test_too_many_logins_are_everybody(db: None, at_once: bool) -> None:
    names = [f"user{i}" for i in range(MAX_LOGINS + 1)]

    def act(count: int) -> None:
        if at_once:
            services.bump_generation(names[:count])
        else:
            for name in names[:count]:
                services.bump_generation([name])

    told = concerned(lambda: act(MAX_LOGINS))
    assert told is not None
    assert len(told) == MAX_LOGINS
    assert concerned(lambda: act(MAX_LOGINS + 1)) is None


def test_a_node_of_a_future_or_of_long_ago_is_told_to_forget_everything(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "KEPT_GENERATIONS", 50)
    for _ in range(200):
        services.bump_generation(["joe"])
    now = queries.generation()
    assert queries.changed_logins(now - 50, now) == ("joe",)
    assert queries.changed_logins(now - 51, now) is None
    assert queries.changed_logins(now + 1, now) is None
    assert queries.changed_logins(-1, now) is None
    assert Change.objects.count() <= 50 + 100
