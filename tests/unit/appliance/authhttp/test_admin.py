"""Admin page of the caller secrets."""

import pytest
from django.test import Client

from appliance.authhttp.models import CallerSecret
from proxycore.contract.secret import Secret
from tests.unit.appliance.authhttp.conftest import SECRET

PAGE = "/admin/authhttp/callersecret/"


def test_a_secret_is_stored_kept_and_never_shown(as_administrator: Client) -> None:
    data = {"name": "nginx", "header": "X-NGX-Auth-Key", "secret": SECRET, "enabled": "on"}
    assert as_administrator.post(f"{PAGE}add/", data).status_code == 302
    caller = CallerSecret.objects.get()
    url = f"{PAGE}{caller.pk}/change/"
    assert SECRET not in as_administrator.get(url).text + as_administrator.get(PAGE).text
    assert as_administrator.post(url, data | {"secret": "", "name": "edge"}).status_code == 302
    caller = CallerSecret.objects.get()
    assert (caller.name, caller.secret) == ("edge", Secret(SECRET))


def test_that_a_proxy_logs_in_at_smtp_servers_is_for_the_operator_to_say(
    as_administrator: Client, nginx: CallerSecret
) -> None:
    url = f"{PAGE}{nginx.pk}/change/"
    data = {"name": "nginx", "header": "X-NGX-Auth-Key", "secret": "", "enabled": "on"}
    assert "proxy_smtp_auth on" in as_administrator.get(url).text
    for said, expected in (({"proxy_smtp_auth": "on"}, True), ({}, False)):
        assert as_administrator.post(url, data | said).status_code == 302
        nginx.refresh_from_db()
        assert nginx.proxy_smtp_auth is expected


def test_a_short_secret_is_refused_at_its_field(as_administrator: Client) -> None:
    data = {"name": "nginx", "header": "X-NGX-Auth-Key", "secret": "short"}
    answer = as_administrator.post(f"{PAGE}add/", data)
    errors = answer.context["adminform"].form.errors
    assert errors["secret"] == ["Give at least 16 characters."]
    assert "short" not in answer.text.replace("shortcut", "")


def test_a_secret_is_deleted_by_the_service(as_administrator: Client, nginx: CallerSecret) -> None:
    url = f"{PAGE}{nginx.pk}/delete/"
    assert as_administrator.post(url, {"post": "yes"}).status_code == 302
    assert not CallerSecret.objects.exists()


def test_who_may_what(
    as_viewer: Client, as_newcomer: Client, client: Client, nginx: CallerSecret
) -> None:
    assert as_viewer.get(PAGE).status_code == 200
    assert as_viewer.get(f"{PAGE}add/").status_code == 403
    assert as_newcomer.get(PAGE).status_code == 403
    assert client.get(PAGE).status_code == 302


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"header": "Host"}, "header"),
        ({"header": "Auth-User"}, "header"),
        ({"secret": "ü" * 20}, "secret"),
        ({"secret": "short", "name": ""}, "secret"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_its_field(
    as_administrator: Client, changed: dict[str, str], field: str
) -> None:
    data = {"name": "nginx", "header": "X-NGX-Auth-Key", "secret": "s" * 20, "enabled": "on"}
    answer = as_administrator.post("/admin/authhttp/callersecret/add/", data | changed)
    assert field in answer.context["adminform"].form.errors
