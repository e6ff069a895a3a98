"""Certificates from an outside CA or an authority of one's own; somebody is told of trouble."""

import json
from collections.abc import Generator

import pytest
from cryptography import x509
from playwright.sync_api import Page, expect

from tests.support.appliance import Appliance
from tests.support.browser import keep_screenshot
from tests.support.pki import Authority
from tests.support.wait import eventually
from tests.support.webhooks import WebhookServer

CA = Authority("Example Intermediate", Authority("Example Root"))


@pytest.fixture
def tidy(administrator: Appliance) -> Generator[None, None, None]:
    """Afterwards nothing of the test is left."""
    yield
    administrator.python(
        "from appliance.alerts.models import Alert, Recipient\n"
        "from appliance.certs.models import Authority, Certificate, SigningRequest\n"
        "for model in (Alert, Recipient, Authority, SigningRequest):\n"
        "    model.objects.all().delete()\n"
        "Certificate.objects.filter(name__in=['shop', 'mx1.internal']).delete()"
    )


def test_a_request_goes_to_a_ca_and_its_answer_becomes_a_certificate(
    page: Page, tidy: None
) -> None:
    page.goto("/admin/certs/signingrequest/")
    page.goto("/admin/certs/signingrequest/add/")
    page.fill("input[name=name]", "shop")
    page.fill("input[name=names]", "mail.example.com imap.example.com")
    keep_screenshot(page, "request_add")
    page.click("text=Save >> nth=0")
    expect(page.locator("#csr")).to_contain_text("BEGIN CERTIFICATE REQUEST")
    keep_screenshot(page, "request_waits")
    with page.expect_download() as download:
        page.click("text=Download the request")
    read = x509.load_pem_x509_csr(download.value.path().read_bytes())
    page.fill("textarea[name=answer]", CA.answer(read))
    page.click("button[name=_save]")
    expect(page.locator("#certificate-facts")).to_contain_text("mail.example.com, imap.example.com")
    expect(page.locator("body")).to_contain_text("answer to a request")
    keep_screenshot(page, "request_answered")


def test_an_authority_of_one_s_own_issues_for_a_mail_host(page: Page, tidy: None) -> None:
    page.goto("/admin/certs/authority/add/")
    page.fill("input[name=name]", "Example internal")
    page.click("button[name=_save]")
    expect(page.locator("#authority")).to_contain_text("Example internal")
    page.click("text=Issue a certificate")
    page.fill("input[name=names]", "mx1.internal 10.0.0.5")
    keep_screenshot(page, "authority_issue")
    page.click("text=Issue >> nth=-1")
    expect(page.locator("#issued-key")).to_contain_text("BEGIN PRIVATE KEY")
    keep_screenshot(page, "authority_issued")
    page.click("text=Back to Example internal")
    expect(page.locator("#issued")).to_contain_text("mx1.internal")
    page.click("text=Revoke")
    expect(page.locator("#issued")).to_contain_text("revoked")
    keep_screenshot(page, "authority")


def test_somebody_is_told_of_trouble_and_it_stands_on_the_home_page(
    page: Page, administrator: Appliance, tidy: None
) -> None:
    with WebhookServer() as taker:
        page.goto("/admin/alerts/recipient/add/")
        page.fill("input[name=name]", "on call")
        page.select_option("select[name=way]", "webhook")
        page.fill("input[name=webhook_url]", taker.url)
        keep_screenshot(page, "recipient_add")
        page.click("button[name=_continue]")
        page.click("text=Send a test")
        expect(page.locator("#test")).to_contain_text("was taken")
        keep_screenshot(page, "recipient")
        administrator.python(
            "from appliance.alerts import services as alerts\n"
            "alerts.raise_alert('certificate.expiry', 'mail.example.com',"
            " 'It expires in 6 days.', severity='critical', url='/admin/')\n"
            "alerts.raise_alert('certificate.expiry', 'imap.example.com',"
            " 'It expires in 20 days.')\n"
            "alerts.raise_alert('certificate.expiry', 'old.example.com', 'It expires.')\n"
            "alerts.clear_alert('certificate.expiry', 'old.example.com', 'It was renewed.')"
        )
        told = eventually(
            lambda: [
                one
                for one in taker.requests
                if (json.loads(one.body)["alert"] or {}).get("about") == "mail.example.com"
            ],
            "the webhook is called",
        )
        assert told[0].document["alert"]["severity"] == "critical"
        page.goto("/admin/")
        expect(page.locator("#alerts")).to_contain_text("A certificate expires soon")
        keep_screenshot(page, "home_with_alerts")
        page.goto("/admin/alerts/alert/")
        expect(page.locator("#standing")).to_contain_text("1 critical, 1 warning now")
        keep_screenshot(page, "alerts")
        page.click("#result_list a:has-text('A certificate expires soon') >> nth=0")
        expect(page.locator("#alert")).to_contain_text("It expires in 6 days.")
        keep_screenshot(page, "alert")
