"""Admin pages of mail hosts, accounts and routes."""

import pytest
from django.test import Client

from appliance.routing import queries, services
from appliance.routing.choices import MatchKind
from appliance.routing.models import MailHost, Route

ROUTES = "/admin/routing/route/"
ACCOUNTS = "/admin/routing/account/"
TLS = {
    **dict.fromkeys(("imap_tls", "pop3_tls", "smtp_tls"), "port"),
    "state": "up",
    "weight": 1,
    "hold": "later",
    "use_health": "observe",
}
AS_EVER = {"action": "send", "percent": 100, "rewrite": ""}
HOSTS = "/admin/routing/mailhost/"
CANARY = "canary-account-31"


def _route_data(host: MailHost, **changed: object) -> dict[str, object]:
    return {
        "match": "letters",
        "value": "a c",
        "mail_host": host.pk,
        "enabled": "on",
        **AS_EVER,
        **changed,
    }


def test_a_route_is_added_and_is_effective_at_once(
    as_administrator: Client, first_host: MailHost
) -> None:
    before = queries.generation()
    answer = as_administrator.post(f"{ROUTES}add/", _route_data(first_host))
    assert answer.status_code == 302, answer.text
    route = Route.objects.get()
    assert (route.value, route.position) == ("ac", 10)
    assert queries.generation() == before + 1


def test_objections_stand_at_the_field(as_administrator: Client, first_host: MailHost) -> None:
    data = _route_data(first_host, match="pattern", value="(a+)+")
    answer = as_administrator.post(f"{ROUTES}add/", data)
    form = answer.context["adminform"].form
    assert "inside a repeated group" in form.errors["value"][0]
    assert not Route.objects.exists()


def test_a_route_can_be_changed_and_deleted(
    as_administrator: Client, first_host: MailHost, second_host: MailHost
) -> None:
    route = services.save_route(Route(match=MatchKind.DEFAULT, mail_host=first_host))
    page = f"{ROUTES}{route.pk}/"
    data = _route_data(second_host, match="default", value="", position=5)
    assert as_administrator.post(f"{page}change/", data).status_code == 302
    route.refresh_from_db()
    assert (route.mail_host, route.position) == (second_host, 5)
    before = queries.generation()
    assert as_administrator.post(f"{page}delete/", {"post": "yes"}).status_code == 302
    assert queries.generation() == before + 1
    assert not Route.objects.exists()


def test_many_are_deleted_by_the_service(as_administrator: Client, first_host: MailHost) -> None:
    before = queries.generation()
    data = {"action": "delete_selected", "_selected_action": [first_host.pk], "post": "yes"}
    assert as_administrator.post(HOSTS, data).status_code == 302
    assert not MailHost.objects.exists()
    assert queries.generation() == before + 1


@pytest.mark.parametrize(
    ("address", "stored"),
    [
        ("Mail.Example.com.", "mail.example.com"),
        ("2001:DB8:0::1", "2001:db8::1"),
        *(("192.0.2.300", ""), ("1:2", ""), ("a b", ""), ("ä.example", ""), ("224.0.0.1", "")),
    ],
)
def test_a_mail_host_has_an_address_or_a_name(
    as_administrator: Client, address: str, stored: str
) -> None:
    data = {"name": "m", "address": address, "imap_port": 143}
    data |= {"pop3_port": 110, "smtp_port": 25, **TLS}
    answer = as_administrator.post(f"{HOSTS}add/", data)
    if stored:
        assert MailHost.objects.get().address == stored
    else:
        assert "address" in answer.context["adminform"].form.errors


def test_a_zone_is_not_dropped_silently(as_administrator: Client) -> None:
    data = {"name": "m", "address": "fe80::1%eth0", "imap_port": 143}
    data |= {"pop3_port": 110, "smtp_port": 25, **TLS}
    form = as_administrator.post(f"{HOSTS}add/", data).context["adminform"].form
    assert "zone" in form.errors["address"][0]


def test_our_own_door_is_refused_at_the_port(
    as_administrator: Client, blocks: dict[str, object]
) -> None:
    data = {"name": "m", "address": "127.0.0.1", "imap_port": 1143}
    data |= {"pop3_port": 110, "smtp_port": 25, **TLS}
    form = as_administrator.post(f"{HOSTS}add/", data).context["adminform"].form
    assert "our own listener *:1143" in form.errors["imap_port"][0]


def test_a_route_that_is_never_reached_is_marked_and_said(
    as_administrator: Client, first_host: MailHost
) -> None:
    services.save_route(Route(match=MatchKind.DEFAULT, mail_host=first_host))
    assert "never:" not in as_administrator.get(ROUTES).text
    data = _route_data(first_host, position=99)
    page = as_administrator.post(f"{ROUTES}add/", data, follow=True).text
    assert "This route is never reached: route 10" in page
    assert "never: 10 goes before" in page


def test_a_position_has_a_limit(as_administrator: Client, first_host: MailHost) -> None:
    answer = as_administrator.post(
        f"{ROUTES}add/", _route_data(first_host, position=99999999999999)
    )
    assert "position" in answer.context["adminform"].form.errors


@pytest.mark.parametrize("page", [ROUTES, ACCOUNTS, HOSTS])
def test_who_may_what(
    as_viewer: Client, as_newcomer: Client, client: Client, page: str, first_host: MailHost
) -> None:
    assert as_viewer.get(page).status_code == 200
    assert as_viewer.get(f"{page}add/").status_code == 403
    assert as_newcomer.get(page).status_code == 403
    assert client.get(page).status_code == 302


def test_a_mail_host_in_use_leads_to_what_uses_it(
    as_administrator: Client, first_host: MailHost
) -> None:
    route = services.save_route(Route(match=MatchKind.DEFAULT, mail_host=first_host))
    page = as_administrator.get(f"{HOSTS}{first_host.pk}/delete/").text
    assert "is still in use" in page
    assert f'href="{ROUTES}{route.pk}/change/"' in page
    data = {"action": "delete_selected", "_selected_action": [first_host.pk]}
    assert f'href="{ROUTES}{route.pk}/change/"' in as_administrator.post(HOSTS, data).text
