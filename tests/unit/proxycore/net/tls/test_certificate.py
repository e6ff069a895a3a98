"""A certificate in words, compared with what OpenSSL's own program says."""

import subprocess

from cryptography import x509
from cryptography.x509.oid import NameOID

from proxycore.net.tls.certificate import digest_of, facts_of, names_of, pin_of, validity_of
from proxycore.net.tls.pem import certificates
from tests.support.pki import Authority, Pair, self_signed
from tests.support.require import program

SUBJECT = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme, Inc"),
        x509.NameAttribute(NameOID.COMMON_NAME, "client ä\r\nX-Header: 1"),
    ]
)
PAIR = Authority("Some Authority").issue("client.example.com", "192.0.2.1", subject=SUBJECT)


def read(pair: Pair) -> object:
    return certificates(pair.pem.encode(), "", "")[0]


def told(*options: str) -> str:
    """Give what ``openssl x509`` says behind the equals sign."""
    command = [program("openssl"), "x509", "-noout", *options]
    done = subprocess.run(command, input=PAIR.pem.encode(), capture_output=True, check=True)
    return done.stdout.decode().strip().partition("=")[2].strip()


def test_names_are_in_the_form_of_rfc_2253_and_cannot_end_a_header() -> None:
    facts = facts_of(read(PAIR))
    assert facts.subject == r"CN=client \C3\A4\0D\0AX-Header: 1,O=Acme\, Inc,C=US"
    assert facts.subject == told("-subject", "-nameopt", "RFC2253")
    assert facts.issuer == told("-issuer", "-nameopt", "RFC2253") == "CN=Some Authority"


def test_serial_and_fingerprint_are_openssl_s() -> None:
    facts = facts_of(read(PAIR))
    assert facts.serial == told("-serial")
    assert facts.fingerprint == told("-fingerprint", "-sha1").replace(":", "").lower()
    assert digest_of(read(PAIR)).hex() == told("-fingerprint", "-sha256").replace(":", "").lower()
    assert facts.pem == PAIR.pem


def test_what_people_are_told() -> None:
    certificate = read(PAIR)
    assert names_of(certificate) == "DNS:client.example.com, IP Address:192.0.2.1"
    since, until = validity_of(certificate)
    assert since == told("-startdate")
    assert until == told("-enddate")
    assert pin_of(certificate).startswith("sha256/")
    assert pin_of(certificate) != pin_of(read(self_signed("other")))


def test_a_certificate_without_names_is_told_by_its_subject() -> None:
    bare = Authority("Bare")
    assert names_of(certificates(bare.pem.encode(), "", "")[0]) == "CN=Bare"
