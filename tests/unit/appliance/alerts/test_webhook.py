"""Webhooks against a real HTTP server: signed, never redirected, and never telling the URL."""

import hashlib
import hmac

import pytest
from django.db import connection

from appliance.alerts import sending, services, webhook
from appliance.alerts.models import Delivery, Recipient
from appliance.alerts.webhook import Refused
from tests.support.ports import free_port, release
from tests.support.webhooks import WebhookServer

pytestmark = pytest.mark.django_db


def attempt(recipient: Recipient) -> Delivery:
    services.send_test(recipient)
    delivery = Delivery.objects.latest("pk")
    sending.attempt(delivery.pk)
    delivery.refresh_from_db()
    return delivery


def test_a_request_is_signed_over_its_time_and_body(hook: Recipient, taker: WebhookServer) -> None:
    hook.webhook_secret = "between us"
    hook.save()
    assert attempt(hook).state == "sent"
    request = taker.requests[0]
    signed = request.headers["X-Postroad-Timestamp"].encode() + b"." + request.body
    expected = hmac.new(b"between us", signed, hashlib.sha256).hexdigest()
    assert request.headers["X-Postroad-Signature"] == f"sha256={expected}"
    assert request.headers["Content-Type"] == "application/json"
    assert request.document["event"] == "test"


def test_without_a_secret_nothing_is_signed(hook: Recipient, taker: WebhookServer) -> None:
    attempt(hook)
    assert "X-Postroad-Signature" not in taker.requests[0].headers


def test_a_redirect_is_not_followed(hook: Recipient, taker: WebhookServer) -> None:
    taker.status, taker.headers = 307, {"Location": taker.url}
    delivery = attempt(hook)
    assert delivery.state == "waiting"
    assert "redirects (307), which is not followed" in delivery.last_error
    assert len(taker.requests) == 1


def test_no_error_tells_the_url(hook: Recipient, taker: WebhookServer) -> None:
    port = free_port()
    hook.webhook_url = f"http://127.0.0.1:{port}/hooks/s3cr3t-path"
    hook.save()
    errors = [attempt(hook).last_error]
    release(port)
    hook.webhook_url = taker.url.replace("http:", "https:")
    hook.save()
    errors.append(attempt(hook).last_error)
    assert errors[0] == "127.0.0.1: Connection refused."
    assert "s3cr3t" not in "".join(errors)
    assert all(errors)


def test_url_and_secret_are_unreadable_in_the_database(hook: Recipient) -> None:
    hook.webhook_secret = "between us"
    hook.save()
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM alerts_recipient")
        stored = str(cursor.fetchall())
    assert "s3cr3t" not in stored
    assert "between us" not in stored


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://example.com/", "example.com/x", "https://", "http://[::1", "http://h:99999/"),
        "https://user:password@example.com/",
        *("http://169.254.169.254/latest", "http://[fe80::1%25eth0]/", "http://0.0.0.0/"),
        *("http://224.0.0.1/", "http://[::ffff:169.254.169.254]/"),
    ],
)
def test_what_is_no_place_for_a_webhook_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        webhook.check_url(url)


def test_what_may_be_shown_of_a_url_is_its_host() -> None:
    assert webhook.check_url("https://hooks.example.com/a/secret") == "hooks.example.com"
    assert webhook.check_url("http://10.0.0.1:8080/x") == "10.0.0.1:8080"


def test_a_name_that_leads_to_a_link_local_address_is_refused(hook: Recipient) -> None:
    # inet_aton's spelling of 169.254.169.254 is no address for Python, and one for the resolver
    hook.webhook_url = "http://2852039166/latest"
    hook.save()
    assert "no address for a webhook" in attempt(hook).last_error
