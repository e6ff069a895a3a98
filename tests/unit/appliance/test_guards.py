"""Every page, socket and download of the appliance, as each role sees it.

The whole of the URL configuration is walked: a page of which ``appliance.lib.guards`` says nothing
fails here.
"""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.http import HttpResponse
from django.test import Client
from django.urls import ResolverMatch, URLPattern, URLResolver, get_resolver, resolve
from django.urls.resolvers import RoutePattern

from appliance.fleet.routing import websocket_urlpatterns
from appliance.lib import guards, roles
from tests.unit.appliance.fleet.wire import Page

pytestmark = pytest.mark.django_db

ANONYMOUS: Final = "anonymous"
NEWCOMER: Final = "newcomer"
WHO: Final = (ANONYMOUS, NEWCOMER, roles.HELP_DESK, roles.OPERATOR, roles.ADMINISTRATOR)

SAMPLES: Final = {
    "kind": "accounts",
    "object_id": "1",
    "content_type_id": "1",
    "app_label": "routing",
    "url": "no-such-page",
}
"""What stands in addresses; everything else is a 1."""

EXPECTED: Final = {
    "home": "nhoa-",
    "admin:index": "nhoa",
    "admin:login": "-nhoa",
    "admin:password_change": "nhoa",
    "explain": "hoa",
    "export": "hoa",
    "import": "oa",
    "admin:auth_user_changelist": "a",
    "admin:auth_user_password_change": "a",
    "admin:auth_group_changelist": "a",
    "admin:audit_entry_changelist": "oa",
    "admin:audit_entry_export": "oa",
    "admin:authhttp_callersecret_changelist": "oa",
    "admin:certs_certificate_add": "oa",
    "admin:certs_certificate_changelist": "hoa",
    "admin:fleet_livesession_changelist": "hoa",
    "admin:fleet_node_token": "oa",
    "admin:fleet_node_changelist": "hoa",
    "admin:publish_configrevision_changelist": "hoa",
    "admin:publish_publish": "oa",
    "admin:publish_roll_back": "oa",
    "admin:routing_account_changelist": "hoa",
    "admin:routing_account_add": "oa",
    "admin:routing_account_history": "hoa",
    "admin:routing_verifier_changelist": "oa",
    "admin:servers_serverblock_changelist": "hoa",
    "admin:servers_serverblock_delete": "oa",
}
"""By first letter who may read a page. Written by hand, so that a slip in the tables is seen."""

LETTERS: Final = {"-": ANONYMOUS, **{one[0].lower(): one for one in WHO[1:]}}


def pages() -> Iterator[str]:
    """Give the address of every page there is."""

    def walk(resolver: URLResolver, before: str) -> Iterator[str]:
        for one in resolver.url_patterns:
            if isinstance(one, URLResolver):
                yield from walk(one, before + str(one.pattern))
            elif isinstance(one, URLPattern):
                yield before + _filled(one)

    return walk(get_resolver(), "/")


def _filled(one: URLPattern) -> str:
    if not isinstance(one.pattern, RoutePattern):
        return "no-such-page" if one.name is None else "routing/"
    address = str(one.pattern)
    for name, converter in one.pattern.converters.items():
        kind = type(converter).__name__.removesuffix("Converter").lower()
        value = SAMPLES.get(name, "1")
        for written in (f"<{kind}:{name}>", f"<{name}>"):
            address = address.replace(written, value)
    return address.replace("<id>", "1")


PAGES: Final = sorted(set(pages()))


@pytest.fixture(autouse=True)
def _rows() -> None:
    roles.sync()


@pytest.fixture(scope="module")
def clients(django_db_setup: None, django_db_blocker: Any) -> Iterator[dict[str, Client]]:
    """Give a browser of everybody."""
    with django_db_blocker.unblock():
        roles.sync()
        found = {ANONYMOUS: Client()}
        for who in WHO[1:]:
            user = User.objects.create_user(f"walk {who}", is_staff=True)
            if who in roles.ROLES:
                user.groups.add(Group.objects.get(name=who))
            found[who] = Client(raise_request_exception=False)
            found[who].force_login(user)
        yield found
        User.objects.filter(username__startswith="walk ").delete()


def _match(address: str) -> ResolverMatch:
    return resolve(address)


def _needs(address: str, method: str) -> str:
    guard = guards.guard_of(_match(address))
    assert guard is not None, f"appliance.lib.guards does not say who may have {address}"
    return guard.needs(method)


def _may(needed: str, who: str) -> bool:
    """Say by the table of roles, not by the database, whether somebody has what is needed."""
    if needed == guards.PUBLIC:
        return True
    if who == ANONYMOUS:
        return False
    return needed == guards.STAFF or any(
        all(_has(who, one) for one in words.split()) for words in needed.split("|")
    )


def _has(who: str, permission: str) -> bool:
    app, _, codename = permission.partition(".")
    found = Permission.objects.filter(content_type__app_label=app, codename=codename).first()
    return found is not None and who in roles.ROLES and roles.grants(who, found)


def _permission(app: str, codename: str) -> Permission:
    return Permission.objects.get(content_type__app_label=app, codename=codename)


def _is_refused(answer: HttpResponse) -> bool:
    to_login = answer.status_code == 302 and "/admin/login/" in answer.headers["Location"]
    return to_login or answer.status_code == 403


@pytest.mark.parametrize("address", PAGES)
def test_a_page_is_given_to_those_it_is_for_and_to_nobody_else(
    address: str, clients: dict[str, Client]
) -> None:
    needed = _needs(address, "GET")
    for who, client in clients.items():
        answer = client.get(address)
        assert answer.status_code < 500, (who, address)
        if not _may(needed, who):
            assert _is_refused(answer), (who, address, answer.status_code)
        elif _match(address).url_name not in _NEVER:
            assert answer.status_code != 403, (who, address)


_NEVER: Final = {
    f"{model}_{page}"
    for model in ("audit_entry", "publish_configrevision", "fleet_nodecommand")
    for page in ("add", "delete")
} | {
    *("servers_processsettings_add", "servers_processsettings_delete"),
    *("alerts_alert_add", "alerts_alert_delete"),
    "auth_group_delete",  # the first group is a role
    "autocomplete",  # refuses without parameters
}
"""Pages that refuse everybody, whatever he may: their model says so."""


@pytest.mark.parametrize("address", PAGES)
def test_nothing_is_sent_to_a_page_by_those_who_may_not(
    address: str, clients: dict[str, Client]
) -> None:
    needed = _needs(address, "POST")
    for who, client in clients.items():
        if not _may(needed, who):
            answer = client.post(address, {"post": "yes"})
            assert _is_refused(answer), (who, address, answer.status_code)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_tables_say_what_was_meant(name: str) -> None:
    found = [one for one in PAGES if _match(one).view_name == name]
    assert found, f"there is no page {name}"
    may = {who for who in WHO if _may(_needs(found[0], "GET"), who)}
    assert may == {LETTERS[letter] for letter in EXPECTED[name]}


def test_a_page_nobody_has_spoken_of_is_for_superusers_alone(
    monkeypatch: pytest.MonkeyPatch, clients: dict[str, Client]
) -> None:
    less = {name: one for name, one in guards.GUARDS.items() if name != "explain"}
    monkeypatch.setattr(guards, "GUARDS", less)
    address = "/admin/explain/"
    for client in clients.values():
        assert _is_refused(client.get(address))
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    assert client.get(address).status_code == 200


def test_who_is_no_staff_is_shown_the_sign_in_page() -> None:
    client = Client()
    client.force_login(User.objects.create_user("guest"))
    assert client.get("/admin/").headers["Location"].startswith("/admin/login/")


def test_every_socket_says_whom_it_is_for() -> None:
    addresses = {str(one.pattern) for one in websocket_urlpatterns}
    assert addresses == set(guards.SOCKETS)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("who", WHO)
def test_who_is_let_into_the_live_page_s_socket(who: str) -> None:
    import asyncio

    client = Client()
    if who != ANONYMOUS:
        user = User.objects.create_user("somebody", is_staff=True)
        if who in roles.ROLES:
            user.groups.add(Group.objects.get(name=who))
        client.force_login(user)

    async def is_let_in() -> bool:
        page = Page(client)
        accepted = await page.open()
        if accepted:
            await page.close()
        return accepted

    assert asyncio.run(is_let_in()) is _may(guards.SOCKETS["ws/sessions/"], who)


def test_every_app_with_pages_has_its_row_in_the_table_of_roles() -> None:
    labels = {model._meta.app_label for model in apps.get_models()}
    assert roles.without_row(sorted(labels)) == []


def test_the_help_desk_can_change_nothing() -> None:
    group = Group.objects.get(name=roles.HELP_DESK)
    assert {one.codename.partition("_")[0] for one in group.permissions.all()} == {"view"}


def test_syncing_repairs_a_role_and_leaves_other_groups() -> None:
    group = Group.objects.get(name=roles.HELP_DESK)
    group.permissions.add(_permission("routing", "change_account"))
    own = Group.objects.create(name="Auditors")
    own.permissions.add(_permission("audit", "view_entry"))
    roles.sync()
    assert not group.permissions.filter(codename="change_account").exists()
    assert own.permissions.count() == 1
