"""Alerts by mail: a real Postfix takes them, in verified TLS, or says why it does not."""

from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from appliance.alerts import sending, services
from appliance.alerts.models import Alert, Delivery, Recipient
from appliance.lib import mail
from tests.support.pki import Authority
from tests.support.ports import free_port, release
from tests.support.postfix import Postfix

pytestmark = pytest.mark.django_db

AUTHORITY = Authority("Mail Authority")
TO = "postmaster@postroad.test"


@pytest.fixture(scope="module")
def server() -> Iterator[Postfix]:
    with Postfix("alerts", pair=AUTHORITY.issue("localhost", "127.0.0.1")) as postfix:
        yield postfix


@pytest.fixture
def who(db: None) -> Recipient:
    return Recipient.objects.create(name="postmaster", addresses=[TO])


@pytest.fixture(autouse=True)
def _smtp(settings: Any) -> None:
    # the test framework would only write mails down
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.DEFAULT_FROM_EMAIL = "Postroad <postroad@postroad.test>"
    settings.ADMIN_URL = "https://postroad.example.com"


def use(settings: Any, url: str) -> None:
    for name, value in mail.from_url(url).items():
        setattr(settings, name, value)


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "authority.pem"
    file.write_text(AUTHORITY.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


def work() -> Delivery:
    delivery = Delivery.objects.latest("pk")
    sending.attempt(delivery.pk)
    delivery.refresh_from_db()
    return delivery


def wait_for(server: Postfix, text: str) -> Message:
    return message_from_bytes(server.wait_for_message(text.encode()))


def test_a_trouble_is_mailed_and_mailed_again_when_it_is_over(
    server: Postfix, who: Recipient, settings: Any, trusted: None
) -> None:
    use(settings, f"smtp://localhost:{server.port}")
    services.raise_alert(
        "test.trouble", "mx1\r\nBcc: x@example.com", "It is down.", severity="critical", url="/a/"
    )
    assert (work().state, work().last_error) == ("sent", "")
    said = wait_for(server, "It is down.")
    about = "test.trouble: mx1 Bcc: x@example.com"
    assert said["Subject"].replace("\n", "") == f"[Postroad] CRITICAL: {about}"
    assert said["Bcc"] is None
    assert (said["To"], said["Auto-Submitted"]) == (TO, "auto-generated")
    assert "https://postroad.example.com/a/" in said.get_payload()
    services.clear_alert("test.trouble", Alert.objects.get().about, "It is back.")
    assert work().state == "sent"
    over = wait_for(server, "It is back.")
    assert over["Subject"].startswith("[Postroad] Over: ")
    assert over["References"] == said["References"]


def test_implicit_tls_serves_as_well(
    server: Postfix, who: Recipient, settings: Any, trusted: None
) -> None:
    use(settings, f"smtps://localhost:{server.smtps_port}")
    services.raise_alert("test.trouble", "mx2", "It is slow.")
    assert work().state == "sent"
    wait_for(server, "It is slow.")


def test_a_mail_server_nobody_vouches_for_gets_nothing(
    server: Postfix, who: Recipient, settings: Any
) -> None:
    use(settings, f"smtp://localhost:{server.port}")
    services.send_test(who)
    delivery = work()
    assert delivery.state == "waiting"
    assert delivery.last_error.startswith("The mail server's certificate: unable to get")


def test_an_address_that_is_refused_keeps_no_other_waiting(
    server: Postfix, who: Recipient, settings: Any, trusted: None
) -> None:
    use(settings, f"smtp://localhost:{server.port}")
    who.addresses = ["a@[not-an-address]", TO]
    who.save()
    services.send_test(who)
    for pk in Delivery.objects.values_list("pk", flat=True):
        sending.attempt(pk)
    states = dict(Delivery.objects.values_list("target", "state"))
    assert states == {"a@[not-an-address]": "waiting", TO: "sent"}
    refused = Delivery.objects.get(state="waiting")
    assert "The mail server refuses the address: 5" in refused.last_error


def test_a_server_that_is_not_there_is_named(who: Recipient, settings: Any) -> None:
    port = free_port()
    use(settings, f"smtp://127.0.0.1:{port}")
    services.send_test(who)
    assert work().last_error == f"The mail server 127.0.0.1:{port}: Connection refused"
    release(port)


def test_without_a_mail_server_it_says_what_to_set(who: Recipient, settings: Any) -> None:
    use(settings, "")
    services.send_test(who)
    assert "POSTROAD_EMAIL_URL" in work().last_error
