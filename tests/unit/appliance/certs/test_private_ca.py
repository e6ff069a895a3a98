"""A private authority: whom it vouches for, as a real OpenSSL sees it, and where keys are."""

import socket
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from appliance.certs import private_ca, services
from appliance.certs.choices import KeyKind, Usage
from appliance.certs.models import Authority, Certificate, IssuedCertificate
from appliance.certs.reading import Refused
from appliance.certs.services import Wanted
from proxycore.contract.secret import Secret

pytestmark = pytest.mark.django_db
PAGE = "/admin/certs/authority/"


@pytest.fixture
def authority(administrator: User) -> Authority:
    return services.make_authority(Authority(name="Example internal"), 3650, administrator)


def verify(authority: Authority, pem: str, directory: Path, *more: str) -> str:
    """Give what ``openssl verify`` says."""
    (directory / "ca.pem").write_text(authority.pem)
    (directory / "one.pem").write_text(pem)
    command = ["openssl", "verify", "-x509_strict", "-CAfile", "ca.pem", *more, "one.pem"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=30)
    return done.stdout + done.stderr


def test_openssl_believes_what_it_issues(authority: Authority, tmp_path: Path) -> None:
    issued = services.issue(authority, Wanted(["mx1.internal", "10.0.0.5"], 30)).certificate
    for more in ((), ("-purpose", "sslserver"), ("-purpose", "sslclient")):
        assert verify(authority, issued.pem, tmp_path, *more) == "one.pem: OK\n"
    said = verify(authority, issued.pem, tmp_path, "-verify_hostname", "mx1.internal")
    assert said == "one.pem: OK\n"
    assert "hostname mismatch" in verify(
        authority, issued.pem, tmp_path, "-verify_hostname", "mx2.internal"
    )


def test_what_is_for_servers_proves_no_client(authority: Authority, tmp_path: Path) -> None:
    wanted = Wanted(["mx1.internal"], 30, Usage.SERVER)
    issued = services.issue(authority, wanted).certificate
    assert "OK" in verify(authority, issued.pem, tmp_path, "-purpose", "sslserver")
    assert "unsuitable" in verify(authority, issued.pem, tmp_path, "-purpose", "sslclient")


def test_a_revoked_one_is_on_the_list(authority: Authority, tmp_path: Path) -> None:
    good = services.issue(authority, Wanted(["mx1.internal"], 30)).certificate
    bad = services.issue(authority, Wanted(["mx2.internal"], 30)).certificate
    services.revoke(bad)
    (tmp_path / "crl.pem").write_text(services.revocation_list(authority))
    check = ("-crl_check", "-CRLfile", "crl.pem")
    assert "OK" in verify(authority, good.pem, tmp_path, *check)
    assert "certificate revoked" in verify(authority, bad.pem, tmp_path, *check)
    services.revocation_list(authority)
    authority.refresh_from_db()
    assert authority.crl_number == 2


def test_a_handshake_with_its_key_is_verified(authority: Authority, tmp_path: Path) -> None:
    issued = services.issue(authority, Wanted(["mx1.internal"], 30, key_kind=KeyKind.RSA2048))
    assert isinstance(issued.key, Secret)
    pair = tmp_path / "pair.pem"
    pair.write_text(issued.certificate.pem + issued.key.reveal())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pair)
    client = ssl.create_default_context(cadata=authority.pem)
    ours, theirs = socket.socketpair()
    with ours, theirs, ThreadPoolExecutor(1) as pool:
        other = pool.submit(server.wrap_socket, theirs, server_side=True)
        with client.wrap_socket(ours, server_hostname="mx1.internal") as proved:
            assert proved.getpeercert()
        other.result(10).close()


def test_it_never_vouches_for_longer_than_it_lasts(authority: Authority) -> None:
    with pytest.raises(Refused, match="outlive"):
        services.issue(authority, Wanted(["mx1.internal"], 4000))
    with pytest.raises(Refused, match="no host name"):
        services.issue(authority, Wanted(["mx_1"], 30))
    assert not IssuedCertificate.objects.exists()


def csr(bits: int = 2048, *names: str) -> str:
    key = rsa.generate_private_key(65537, bits)
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    wanted = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    made = builder.add_extension(wanted, critical=False).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def test_a_request_gives_its_key_and_its_names(authority: Authority) -> None:
    read = private_ca.read_request(csr(2048, "mx1.internal"))
    assert private_ca.names_of(read) == ["mx1.internal"]
    issued = services.issue(authority, Wanted(["mx9.internal"], 30, request=read))
    assert issued.key is None
    made = x509.load_pem_x509_certificate(issued.certificate.pem.encode())
    assert made.public_key() == read.public_key()
    assert issued.certificate.names == ["mx9.internal"]


@pytest.mark.parametrize(
    ("text", "said"), [("junk", "no certificate request"), (csr(1024, "a.test"), "too weak")]
)
def test_a_request_that_is_not_good_is_refused(text: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        private_ca.read_request(text)


# --- pages ----------------------------------------------------------------------------------------


def asked(**more: Any) -> dict[str, Any]:
    usual = {"purpose": "other", "names": "mx1.internal", "usage": "both", "key_kind": "ec256"}
    return usual | {"days": "30"} | more


def test_an_authority_is_made_and_issues_with_a_key_that_is_shown_once(
    as_administrator: Client,
) -> None:
    answer = as_administrator.post(f"{PAGE}add/", {"name": "Internal", "days": "3650"})
    authority = Authority.objects.get()
    assert answer.status_code == 302
    page = f"{PAGE}{authority.pk}/change/"
    shown = as_administrator.post(f"{PAGE}{authority.pk}/issue/", asked())
    assert "BEGIN PRIVATE KEY" in shown.text
    assert "no-store" in shown["Cache-Control"]
    listed = as_administrator.get(page).text
    assert "mx1.internal" in listed
    assert authority.pem.splitlines()[3] in listed
    assert "PRIVATE KEY" not in listed
    with connection.cursor() as cursor:
        for table in ("certs_authority", "certs_issuedcertificate"):
            cursor.execute(f"SELECT * FROM {table}")
            assert "PRIVATE KEY" not in str(cursor.fetchall())
    issued = IssuedCertificate.objects.get()
    assert (issued.author and issued.author.username, bool(issued.serial)) == ("ada", True)
    assert as_administrator.get(f"{PAGE}issued/{issued.pk}.pem").text == issued.pem
    assert as_administrator.get(f"{PAGE}{authority.pk}/authority.pem").text == authority.pem


def test_one_for_this_installation_is_kept(as_administrator: Client, authority: Authority) -> None:
    as_administrator.post(f"{PAGE}{authority.pk}/issue/", asked(purpose="here"))
    kept = Certificate.objects.get()
    assert (kept.name, kept.issuer) == ("mx1.internal", "Example internal")
    assert kept.versions.get().get_event_display() == "issued by a private authority"


def test_one_is_issued_for_a_request(as_administrator: Client, authority: Authority) -> None:
    data = asked(purpose="request", request=csr(2048, "mx7.internal"), names="")
    shown = as_administrator.post(f"{PAGE}{authority.pk}/issue/", data).text
    assert "mx7.internal" in shown
    assert "PRIVATE KEY" not in shown


def test_each_objection_stands_at_its_field(as_administrator: Client, authority: Authority) -> None:
    for data, field in (
        (asked(names=""), "names"),
        (asked(names="a_b"), "names"),
        (asked(days="4000"), "days"),
        (asked(purpose="request", request="junk"), "request"),
    ):
        answer = as_administrator.post(f"{PAGE}{authority.pk}/issue/", data)
        assert list(answer.context["form"].errors) == [field]
    assert not IssuedCertificate.objects.exists()


def test_revoking_is_for_who_may_change(
    as_administrator: Client, as_viewer: Client, as_newcomer: Client, authority: Authority
) -> None:
    issued = services.issue(authority, Wanted(["mx1.internal"], 30)).certificate
    revoke = f"{PAGE}issued/{issued.pk}/revoke/"
    for url in (revoke, f"{PAGE}{authority.pk}/issue/", f"{PAGE}{authority.pk}/revoked.pem"):
        assert as_viewer.post(url).status_code == 403
    for url in (PAGE, f"{PAGE}{authority.pk}/authority.pem", f"{PAGE}issued/{issued.pk}.pem"):
        assert as_viewer.get(url).status_code == 200
        assert as_newcomer.get(url).status_code == 403
    as_administrator.post(revoke)
    issued.refresh_from_db()
    assert issued.revoked_at is not None
    assert "BEGIN X509 CRL" in as_administrator.post(f"{PAGE}{authority.pk}/revoked.pem").text
