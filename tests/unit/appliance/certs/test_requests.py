"""Requests to an outside CA: the key is made here and stays here, and the answer has to fit it."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from django.db import connection
from django.test import Client

from appliance.certs.models import Certificate, SigningRequest
from appliance.certs.reading import load_key
from tests.support.pki import Authority

pytestmark = pytest.mark.django_db
PAGE = "/admin/certs/signingrequest/"
ADD = f"{PAGE}add/"
CA = Authority("Outside Intermediate", Authority("Outside Root"))


def asked(**more: Any) -> dict[str, Any]:
    return {"name": "mail", "names": "mail.example.com", "key_kind": "ec256"} | more


def make(client: Client, **more: Any) -> SigningRequest:
    assert client.post(ADD, asked(**more)).status_code == 302
    return SigningRequest.objects.latest("pk")


def change(request: SigningRequest) -> str:
    return f"{PAGE}{request.pk}/change/"


def answer_of(request: SigningRequest, days: int = 90) -> str:
    read = x509.load_pem_x509_csr(request.pem.encode())
    assert read.is_signature_valid
    return CA.answer(read, days)


def errors(client: Client, url: str, data: dict[str, Any]) -> dict[str, list[str]]:
    return client.post(url, data).context["adminform"].form.errors


def test_a_request_becomes_a_certificate(as_administrator: Client) -> None:
    request = make(as_administrator, names="mail.example.com imap.example.com")
    page = as_administrator.get(change(request)).text
    assert "BEGIN CERTIFICATE REQUEST" in page
    assert "PRIVATE KEY" not in page
    assert as_administrator.get(f"{PAGE}{request.pk}/request.csr").text == request.pem
    done = as_administrator.post(change(request), {"answer": answer_of(request)}, follow=True)
    assert "The answer fits its key" in done.text
    certificate = Certificate.objects.get()
    assert certificate.names == ["mail.example.com", "imap.example.com"]
    assert certificate.pem.count("BEGIN CERTIFICATE") == 2
    version = certificate.versions.get()
    assert (version.get_event_display(), str(version.author)) == ("answer to a request", "ada")
    assert version.serial
    request.refresh_from_db()
    assert not request.private_key
    assert "answered" in as_administrator.get(PAGE).text


@pytest.mark.parametrize(
    ("kind", "bits"), [("rsa2048", 2048), ("rsa3072", 3072), ("ec384", 384), ("ec256", 256)]
)
def test_keys_of_each_kind_are_made(as_administrator: Client, kind: str, bits: int) -> None:
    request = make(as_administrator, key_kind=kind)
    key = load_key(request.private_key)
    assert key.key_size == bits  # type: ignore[union-attr]
    assert isinstance(key, rsa.RSAPrivateKey) == kind.startswith("rsa")


def test_the_subject_holds_what_the_ca_wants(as_administrator: Client) -> None:
    request = make(as_administrator, organization="Example Ltd", country="de")
    read = x509.load_pem_x509_csr(request.pem.encode())
    assert read.subject.rfc4514_string() == "C=DE,O=Example Ltd,CN=mail.example.com"


def test_an_answer_renews_the_certificate_that_was_chosen(as_administrator: Client) -> None:
    first = make(as_administrator)
    as_administrator.post(change(first), {"answer": answer_of(first)})
    certificate = Certificate.objects.get()
    second = make(as_administrator, name="again", replaces=certificate.pk)
    as_administrator.post(change(second), {"answer": answer_of(second, days=300)})
    renewed = Certificate.objects.get()
    assert renewed.pk == certificate.pk
    assert renewed.fingerprint != certificate.fingerprint
    assert renewed.versions.count() == 2


def test_another_request_s_answer_is_refused(as_administrator: Client) -> None:
    request, other = make(as_administrator), make(as_administrator, name="other")
    found = errors(as_administrator, change(request), {"answer": answer_of(other)})
    assert "for another key" in found["answer"][0]
    expired = errors(as_administrator, change(request), {"answer": answer_of(request, days=-1)})
    assert "expired" in expired["answer"][0]
    assert "Give the certificate" in errors(as_administrator, change(request), {})["answer"][0]
    assert not Certificate.objects.exists()


def test_a_request_is_answered_once(as_administrator: Client) -> None:
    request = make(as_administrator)
    answer = answer_of(request)
    as_administrator.post(change(request), {"answer": answer})
    again = errors(as_administrator, change(request), {"answer": answer})
    assert "has its answer already" in str(again)
    assert Certificate.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"names": ""}, "names"), ({"names": "a_b"}, "names"), ({"country": "x"}, "country")],
)
def test_each_objection_stands_at_its_field(
    as_administrator: Client, wrong: dict[str, Any], field: str
) -> None:
    assert list(errors(as_administrator, ADD, asked(**wrong))) == [field]


def test_the_key_is_unreadable_in_the_database(as_administrator: Client) -> None:
    make(as_administrator)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM certs_signingrequest")
        assert "PRIVATE KEY" not in str(cursor.fetchall())


def test_pages_are_for_who_may(
    as_administrator: Client, as_viewer: Client, as_newcomer: Client
) -> None:
    request = make(as_administrator)
    for url in (PAGE, change(request), f"{PAGE}{request.pk}/request.csr"):
        assert as_viewer.get(url).status_code == 200
        assert as_newcomer.get(url).status_code == 403
    assert as_viewer.get(ADD).status_code == 403
    assert as_viewer.post(change(request), {"answer": answer_of(request)}).status_code == 403
