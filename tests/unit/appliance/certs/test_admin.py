"""The admin pages of certificates: three ways in, what is shown, and what never is."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from appliance.certs.models import Certificate
from tests.support.pki import Authority, Pair, self_signed

PAGE = "/admin/certs/certificate/"
ADD = f"{PAGE}add/"
AUTHORITY = Authority("Test Intermediate", Authority("Test Root"))


@pytest.fixture(scope="module")
def pair() -> Pair:
    return AUTHORITY.issue("mail.example.com")


def pem(pair: Pair, **more: Any) -> dict[str, Any]:
    return {"name": "mail", "way": "pem", "chain": pair.pem, "key": pair.key_pem, **more}


def post(client: Client, data: dict[str, Any], url: str = ADD) -> dict[str, list[str]]:
    """Send the form; give what is complained about by field."""
    versions = {"versions-TOTAL_FORMS": 0, "versions-INITIAL_FORMS": 0}
    answer = client.post(url, data | (versions if url != ADD else {}))
    return {} if answer.status_code == 302 else answer.context["adminform"].form.errors


def change(certificate: Certificate) -> str:
    return f"{PAGE}{certificate.pk}/change/"


def key_lines(pair: Pair) -> list[str]:
    return pair.key_pem.splitlines()[1:-1]


def test_a_pem_upload_is_stored_and_described(as_administrator: Client, pair: Pair) -> None:
    assert post(as_administrator, pem(pair)) == {}
    page = as_administrator.get(change(Certificate.objects.get())).text
    for shown in ("mail.example.com", "Test Intermediate", "EC P-256", "89 days left", "ada"):
        assert shown in page
    listed = as_administrator.get(PAGE).text
    assert "mail.example.com" in listed
    assert "89 days left" in listed


def test_the_key_is_on_no_page_and_not_readable_in_the_database(
    as_administrator: Client, pair: Pair
) -> None:
    post(as_administrator, pem(pair))
    wrong = as_administrator.post(ADD, pem(pair, chain="junk")).text
    pages = [as_administrator.get(url).text for url in (PAGE, change(Certificate.objects.get()))]
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM certs_certificate")
        stored = str(cursor.fetchall())
    for line in key_lines(pair):
        assert line not in wrong + "".join(pages) + stored
    assert "PRIVATE KEY" not in stored


def test_files_are_taken_as_well(as_administrator: Client, pair: Pair) -> None:
    data = {
        "name": "mail",
        "way": "pem",
        "chain_file": SimpleUploadedFile("mail.crt", pair.pem.encode()),
        "key_file": SimpleUploadedFile("mail.key", pair.key_pem.encode()),
    }
    assert post(as_administrator, data) == {}
    big = SimpleUploadedFile("big.crt", b"x" * 1_100_000)
    assert "too big" in post(as_administrator, data | {"chain_file": big})["chain_file"][0]


def test_each_objection_stands_at_its_field(as_administrator: Client, pair: Pair) -> None:
    other = AUTHORITY.issue("other.example.com")
    expired = AUTHORITY.issue("mail.example.com", days=-1)
    locked = pair.key_with(b"secret")
    assert "not the one of mail" in post(as_administrator, pem(pair, key=other.key_pem))["key"][0]
    assert "expired on" in post(as_administrator, pem(expired))["chain"][0]
    assert "give its passphrase" in post(as_administrator, pem(pair, key=locked))["passphrase"][0]
    junk = {"name": "x", "way": "pkcs12", "pkcs12": SimpleUploadedFile("x.p12", b"junk")}
    assert "no PKCS#12" in post(as_administrator, junk)["pkcs12"][0]
    bad = {"name": "x", "way": "self", "for_names": "a_b"}
    assert "no host name" in post(as_administrator, bad)["for_names"][0]
    assert "name" in post(as_administrator, pem(pair, name=""))
    assert not Certificate.objects.exists()


def test_a_self_signed_one_is_made_here(as_administrator: Client) -> None:
    assert (
        post(as_administrator, {"name": "x", "way": "self", "for_names": "a.test 192.0.2.1"}) == {}
    )
    made = Certificate.objects.get()
    assert made.names == ["a.test", "192.0.2.1"]
    assert made.versions.get().get_event_display() == "self-signed here"


def test_a_renewal_replaces_the_content_and_leaves_history(
    as_administrator: Client, pair: Pair
) -> None:
    post(as_administrator, pem(pair))
    certificate = Certificate.objects.get()
    renewed = AUTHORITY.issue("mail.example.com", days=200)
    assert post(as_administrator, pem(renewed, name="renamed"), change(certificate)) == {}
    certificate.refresh_from_db()
    assert (certificate.name, certificate.pem) == ("renamed", renewed.pem)
    assert certificate.versions.count() == 2


def test_renaming_leaves_the_content(as_administrator: Client, pair: Pair) -> None:
    post(as_administrator, pem(pair))
    certificate = Certificate.objects.get()
    assert post(as_administrator, {"name": "other", "way": ""}, change(certificate)) == {}
    certificate.refresh_from_db()
    assert (certificate.name, certificate.pem) == ("other", pair.pem)
    assert certificate.private_key.reveal() == pair.key_pem
    assert certificate.versions.count() == 1


def test_what_was_put_right_is_said(as_administrator: Client, pair: Pair) -> None:
    turned = "".join(Pair(one, pair.key).pem for one in (*pair.chain, pair.certificate))
    answer = as_administrator.post(ADD, pem(pair, chain=turned), follow=True)
    assert "The chain was put in order." in answer.text


def test_an_unused_one_is_deleted(as_administrator: Client) -> None:
    made = self_signed("mail.example.com")
    post(as_administrator, pem(made))
    url = f"{PAGE}{Certificate.objects.get().pk}/delete/"
    assert as_administrator.post(url, {"post": "yes"}).status_code == 302
    assert not Certificate.objects.exists()


def test_pages_are_for_who_may(
    as_viewer: Client, as_newcomer: Client, client: Client, as_administrator: Client, pair: Pair
) -> None:
    post(as_administrator, pem(pair))
    url = change(Certificate.objects.get())
    assert as_viewer.get(PAGE).status_code == 200
    assert "Test Intermediate" in as_viewer.get(url).text
    assert as_viewer.post(url, {"name": "x", "way": ""}).status_code == 403
    assert as_viewer.get(ADD).status_code == 403
    for page in (PAGE, ADD, url):
        assert as_newcomer.get(page).status_code == 403
        assert client.get(page).status_code == 302
