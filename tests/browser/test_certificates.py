"""An operator uploads a certificate, lets a server block show it, and clients get it."""

import re
import socket
import ssl
from collections.abc import Generator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from playwright.sync_api import Page, expect

from tests.support import cast, clients
from tests.support.appliance import Appliance
from tests.support.browser import keep_screenshot
from tests.support.pki import Authority, Pair
from tests.support.wait import eventually

AUTHORITY = Authority("Example Intermediate", Authority("Example Root"))


@pytest.fixture
def tidy(administrator: Appliance) -> Generator[None, None, None]:
    """Afterwards the IMAP block shows what it showed before, and nothing of the test is left."""
    yield
    administrator.python(
        "from appliance.certs import services as certs\n"
        "from appliance.certs.models import Certificate\n"
        "from appliance.publish import services as publish\n"
        "from appliance.servers import services\n"
        "from appliance.servers.models import ServerBlock\n"
        "first = Certificate.objects.get(name__endswith='(first start)')\n"
        "services.choose_certificates(ServerBlock.objects.get(name='imap'), [first])\n"
        "publish.publish()\n"
        "certs.delete(Certificate.objects.exclude(pk=first.pk))"
    )


def served(port: int) -> str:
    """Give the fingerprint of the certificate that a client is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), 5) as plain,
        context.wrap_socket(plain) as secure,
    ):
        der = secure.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).fingerprint(hashes.SHA256()).hex(":").upper()


def fingerprint(pair: Pair) -> str:
    return pair.certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def fill(page: Page, pair: Pair, *, key: Pair | None = None) -> None:
    page.fill("textarea[name=chain]", pair.pem)
    page.fill("textarea[name=key]", (key or pair).key_pem)


def publish(page: Page) -> None:
    keep_screenshot(page, "certificate-pending")
    page.locator("#publish-button").click()
    expect(page.locator("#revision-status li[data-tone=success]")).to_have_count(1)


def test_a_bad_upload_is_explained_at_its_field(page: Page) -> None:
    page.goto("/admin/certs/certificate/add/")
    page.fill("input[name=name]", "mail.example.com")
    pair, other = AUTHORITY.issue("mail.example.com"), AUTHORITY.issue("other.example.com")
    fill(page, pair, key=other)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The key is not the one of mail.example.com")).to_be_visible()
    expect(page.locator("textarea[name=key]")).to_have_value("")
    keep_screenshot(page, "certificate-refused")
    page.select_option("select[name=way]", "self")
    expect(page.locator("textarea[name=chain]")).to_be_hidden()
    expect(page.locator("input[name=for_names]")).to_be_visible()
    keep_screenshot(page, "certificate-self-signed")


def test_a_certificate_is_uploaded_chosen_published_and_renewed(
    page: Page, administrator: Appliance, tidy: None
) -> None:
    port = administrator.secure.imap
    first, renewed = (AUTHORITY.issue("mail.example.com", days=days) for days in (30, 90))
    page.goto("/admin/certs/certificate/add/")
    page.fill("input[name=name]", "mail.example.com")
    fill(page, first)
    page.click("button[name=_continue], input[name=_continue]")
    expect(page.locator("#fingerprint")).to_have_text(fingerprint(first))
    keep_screenshot(page, "certificate-uploaded")

    page.goto("/admin/servers/serverblock/")
    page.get_by_role("link", name="imap", exact=True).click()
    page.locator("label:has-text('(first start)') input").uncheck()
    page.locator("label:has-text('mail.example.com (EC P-256') input").check()
    keep_screenshot(page, "server-block-tls")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    page.goto("/admin/publish/configrevision/")
    expect(page.locator("#pending")).to_contain_text(
        re.compile(r"certificate “?\"?mail\.example\.com \(EC P-256\)\"?.*added, valid until")
    )
    publish(page)
    eventually(lambda: served(port) == fingerprint(first), "the certificate is served")

    with clients.imap(administrator.front.imap, cast.ALICE, cast.PASSWORDS[cast.ALICE]) as client:
        page.goto("/admin/certs/certificate/")
        keep_screenshot(page, "certificates")
        page.get_by_role("link", name="mail.example.com", exact=True).click()
        page.select_option("select[name=way]", "pem")
        fill(page, renewed)
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("Clients get the new certificate once you publish")).to_be_visible()
        page.goto("/admin/publish/configrevision/")
        expect(page.locator("#pending")).to_contain_text("renewed: valid until")
        publish(page)
        eventually(lambda: served(port) == fingerprint(renewed), "the renewed one is served")
        assert client.noop()[0] == "OK"


def test_a_new_mail_host_is_spoken_to_in_verified_tls(page: Page) -> None:
    page.goto("/admin/routing/mailhost/add/")
    for protocol in ("imap", "pop3", "smtp"):
        expect(page.locator(f"select[name={protocol}_tls]")).to_have_value("port")
    expect(page.get_by_text("is sent no password")).to_be_visible()
    keep_screenshot(page, "mail-host-new")
