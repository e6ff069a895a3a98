"""An operator gets a certificate from a CA, sees how it comes about, and has it revoked."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.appliance import Appliance
from tests.support.browser import keep_screenshot
from tests.support.pebble import BLOCKED, Names, Pebble

ACCOUNTS = "/admin/acme/account/"
ISSUANCES = "/admin/acme/issuance/"


@pytest.fixture(scope="module")
def ca(administrator: Appliance) -> Iterator[Pebble]:
    """A CA that looks at the appliance's own port."""
    with (
        Names() as names,
        Pebble(f"127.0.0.1:{names.port}", http_port=administrator.http_port) as pebble,
    ):
        yield pebble
    administrator.python(
        "from appliance.acme.models import Account, Issuance\n"
        "from appliance.acme.services import accounts, issuances\n"
        "from appliance.certs import services as certs\n"
        "from appliance.certs.models import Certificate\n"
        "issuances.delete(Issuance.objects.all())\n"
        "accounts.delete(Account.objects.all())\n"
        "certs.delete(Certificate.objects.filter(name='mail.example.com'))"
    )


def becomes(page: Page, selector: str, text: str) -> None:
    """Load the page anew until it says so: a worker is at it."""
    for _ in range(60):
        shown = page.locator(selector)
        if shown.count() and text in (shown.first.text_content() or ""):
            break
        page.wait_for_timeout(250)
        page.reload()
    expect(page.locator(selector).first).to_contain_text(text)


def test_a_certificate_comes_from_a_ca(page: Page, ca: Pebble) -> None:
    page.goto(f"{ACCOUNTS}add/")
    page.fill("input[name=name]", "Pebble")
    page.fill("input[name=directory_url]", ca.directory_url)
    page.fill("input[name=contact]", "ops@example.com")
    page.fill("textarea[name=ca_bundle]", ca.authority.pem)
    page.get_by_role("button", name="Save and continue editing").click()
    becomes(page, "#account-status", "refused by the CA")
    keep_screenshot(page, "acme-account-refused")
    page.check("input[name=terms_agreed]")
    page.get_by_role("button", name="Save and continue editing").click()
    becomes(page, "#account-status", "Known to the CA as")
    keep_screenshot(page, "acme-account")

    page.goto(f"{ISSUANCES}add/")
    page.fill("input[name=name]", "mail.example.com")
    page.fill("input[name=names]", "mail.example.com imap.example.com")
    page.select_option("select[name=account]", label="Pebble")
    keep_screenshot(page, "acme-issuance-new")
    page.get_by_role("button", name="Save and continue editing").click()
    becomes(page, "#standing-ec256", "days left")
    # stored first, which the page may show: issued once the server blocks have it
    becomes(page, "#standing-ec256 h2", "issued")
    page.locator("details.pr-fold summary").click()
    keep_screenshot(page, "acme-issuance")
    page.goto(ISSUANCES)
    expect(page.locator("#result_list")).to_contain_text("issued")
    keep_screenshot(page, "acme-issuances")


def test_a_certificate_is_revoked(page: Page, ca: Pebble) -> None:
    page.goto(ISSUANCES)
    page.get_by_role("link", name="mail.example.com").first.click()
    page.get_by_role("link", name="Revoke").click()
    keep_screenshot(page, "acme-revoke")
    page.get_by_role("button", name="Revoke", exact=True).click()
    becomes(
        page, ".pr-panel:has(h2:text('Revocations'))", "replaced by another certificate revoked"
    )
    becomes(page, "#standing-ec256", "asked for by operator")


def test_a_refusal_is_shown_with_what_to_do(page: Page, ca: Pebble) -> None:
    page.goto(f"{ISSUANCES}add/")
    page.fill("input[name=name]", "other.example.com")
    page.fill("input[name=names]", BLOCKED)
    page.select_option("select[name=account]", label="Pebble")
    page.select_option("select[name=challenge]", "dns-01")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("body")).to_contain_text("Choose who sets the TXT records.")
    page.select_option("select[name=challenge]", "http-01")
    page.get_by_role("button", name="Save and continue editing").click()
    becomes(page, "#standing-ec256 h2", "failed")
    expect(page.locator("#standing-ec256 .pr-notice")).to_contain_text(BLOCKED)
    keep_screenshot(page, "acme-issuance-failed")
