"""Pages: what is wrong now, what was, who is told, and whether that works."""

from typing import Any

import pytest
from django.test import Client

from appliance.alerts import sending, services
from appliance.alerts.models import Alert, Delivery, Recipient
from tests.support.webhooks import WebhookServer
from tests.unit.appliance.alerts.conftest import KIND

PAGE = "/admin/alerts/alert/"
WHO = "/admin/alerts/recipient/"
pytestmark = pytest.mark.django_db


def form(**more: Any) -> dict[str, Any]:
    return {
        "name": "on call",
        "way": "mail",
        "addresses": "a@example.com b@example.com",
        "severity": "warning",
        "remind_h": "24",
        "enabled": "on",
        "tell_cleared": "on",
        **more,
    }


def post(client: Client, data: dict[str, Any], url: str = f"{WHO}add/") -> dict[str, list[str]]:
    rows = {"deliveries-TOTAL_FORMS": 0, "deliveries-INITIAL_FORMS": 0}
    answer = client.post(url, data | rows)
    return {} if answer.status_code == 302 else answer.context["adminform"].form.errors


def test_what_is_wrong_stands_on_its_page_and_on_the_home_page(as_administrator: Client) -> None:
    assert "Nothing is wrong" in as_administrator.get(PAGE).text
    assert 'id="alerts"' not in as_administrator.get("/admin/").text
    services.raise_alert(KIND, "mx1", "It is down.", severity="critical", url="/admin/explain/")
    listed = as_administrator.get(PAGE).text
    assert "1 critical now" in listed
    assert "Nobody is told of it" in listed
    home = as_administrator.get("/admin/").text
    assert "Something is wrong: mx1" in home
    page = as_administrator.get(f"{PAGE}{Alert.objects.get().pk}/change/").text
    for shown in ("It is down.", "Mend it.", "Critical", 'href="/admin/explain/"'):
        assert shown in page


def test_what_is_over_is_found_by_its_filter(as_administrator: Client) -> None:
    services.raise_alert(KIND, "mx1", "It is down.")
    services.raise_alert(KIND, "mx2", "It is slow.")
    services.clear_alert(KIND, "mx1", "It is back.")
    assert "mx1" not in as_administrator.get(f"{PAGE}?now=yes").text
    over = as_administrator.get(f"{PAGE}?now=no&kind={KIND}").text
    assert "mx1" in over
    assert "It is slow." not in over
    page = as_administrator.get(f"{PAGE}{Alert.objects.get(about='mx1').pk}/change/").text
    assert "It is back." in page


def test_somebody_is_added_by_mail(as_administrator: Client) -> None:
    assert post(as_administrator, form(kinds=[KIND])) == {}
    who = Recipient.objects.get()
    assert (who.addresses, who.kinds) == (["a@example.com", "b@example.com"], [KIND])
    listed = as_administrator.get(WHO).text
    assert "a@example.com, b@example.com" in listed
    assert "Something is wrong" in listed


def test_somebody_is_added_by_webhook_whose_url_is_never_shown_again(
    as_administrator: Client,
) -> None:
    url = "https://hooks.example.com/s3cr3t-path"
    data = form(way="webhook", webhook_url=url, webhook_secret="between us", addresses="")
    assert post(as_administrator, data) == {}
    who = Recipient.objects.get()
    change = f"{WHO}{who.pk}/change/"
    assert post(as_administrator, data | {"webhook_url": "", "webhook_secret": ""}, change) == {}
    who.refresh_from_db()
    assert (who.webhook_url.reveal(), who.webhook_secret.reveal()) == (url, "between us")
    for page in (WHO, change):
        shown = as_administrator.get(page).text
        assert "hooks.example.com" in shown
        assert "s3cr3t" not in shown
        assert "between us" not in shown


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"addresses": ""}, "addresses"),
        ({"addresses": "nobody"}, "addresses"),
        ({"way": "webhook"}, "webhook_url"),
        ({"way": "webhook", "webhook_url": "http://169.254.169.254/"}, "webhook_url"),
        ({"kinds": ["no.such"]}, "kinds"),
    ],
)
def test_each_objection_stands_at_its_field(
    as_administrator: Client, wrong: dict[str, Any], field: str
) -> None:
    assert list(post(as_administrator, form(**wrong))) == [field]


def test_a_test_is_sent_and_its_outcome_shown(
    as_administrator: Client, hook: Recipient, taker: WebhookServer
) -> None:
    change = f"{WHO}{hook.pk}/change/"
    assert as_administrator.post(f"{WHO}{hook.pk}/test/").status_code == 302
    waiting = as_administrator.get(change)
    assert "on its way" in waiting.text
    assert waiting["Refresh"] == "1"
    taker.status = 404
    sending.attempt(Delivery.objects.get().pk)
    assert "answers 404" in as_administrator.get(change).text
    taker.status = 200
    as_administrator.post(f"{WHO}{hook.pk}/test/")
    sending.attempt(Delivery.objects.latest("pk").pk)
    done = as_administrator.get(change)
    assert "was taken" in done.text
    assert "Refresh" not in done.headers


def test_who_cannot_be_told_stands_above_what_is_wrong(
    as_administrator: Client, hook: Recipient, taker: WebhookServer
) -> None:
    taker.status = 500
    services.raise_alert(KIND, "mx1", "It is down.")
    sending.attempt(Delivery.objects.get().pk)
    assert "on call cannot be told (127.0.0.1): 127.0.0.1 answers 500." in (
        as_administrator.get(PAGE).text
    )


def test_pages_are_for_who_may(as_viewer: Client, as_newcomer: Client, hook: Recipient) -> None:
    services.raise_alert(KIND, "mx1", "It is down.")
    alert = f"{PAGE}{Alert.objects.get().pk}/change/"
    test = f"{WHO}{hook.pk}/test/"
    for page in (PAGE, alert, WHO, f"{WHO}{hook.pk}/change/"):
        assert as_viewer.get(page).status_code == 200
        assert as_newcomer.get(page).status_code == 403
    assert as_viewer.post(test).status_code == 403
    assert as_viewer.get(f"{WHO}add/").status_code == 403
    assert as_viewer.get(f"{PAGE}add/").status_code == 403
    assert "mx1" not in as_newcomer.get("/admin/").text
    assert Delivery.objects.filter(alert=None).count() == 0


def test_somebody_is_removed(as_administrator: Client, hook: Recipient) -> None:
    services.raise_alert(KIND, "mx1", "It is down.")
    assert as_administrator.post(f"{WHO}{hook.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Recipient.objects.exists()
    assert Alert.objects.exists()
