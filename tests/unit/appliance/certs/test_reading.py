"""What may be uploaded, what is put right, and what is refused with a reason."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from django.utils import timezone

from appliance.certs import making, reading
from appliance.certs.reading import Material, Refused
from appliance.lib.x509 import read_certificates
from proxycore.contract.secret import Secret
from tests.support.pki import Authority, Pair, self_signed

ROOT = Authority("Test Root")
BELOW = Authority("Test Intermediate", ROOT)


@pytest.fixture(scope="module")
def pair() -> Pair:
    return BELOW.issue("mail.example.com", "imap.example.com")


def read(chain: str, key: str = "", passphrase: str = "") -> Material:
    secret = Secret(passphrase) if passphrase else None
    return reading.from_pem(chain.encode(), key.encode(), secret, timezone.now())


def refusal(chain: str, key: str = "", passphrase: str = "") -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        read(chain, key, passphrase)
    return caught.value.part, str(caught.value)


def key_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


def subjects(pem: str) -> list[str]:
    return [one.subject.rfc4514_string() for one in read_certificates(pem.encode())]


def test_a_chain_with_its_key_is_taken_as_it_is(pair: Pair) -> None:
    found = read(pair.pem, pair.key_pem)
    assert found.pem == pair.pem
    assert found.notes == ()
    assert found.facts.names == ("mail.example.com", "imap.example.com")
    assert (found.facts.issuer, found.facts.key_kind) == ("Test Intermediate", "EC P-256")
    assert 88 <= found.facts.days_left() <= 90
    assert "PRIVATE" not in repr(found)


def test_any_order_is_put_right_and_the_root_left_out(pair: Pair) -> None:
    parts = [ROOT.pem, BELOW.pem, Pair(pair.certificate, pair.key).pem]
    found = read("".join(parts), pair.key_pem)
    assert subjects(found.pem) == ["CN=mail.example.com", "CN=Test Intermediate"]
    assert found.notes == (
        "The root Test Root was left out: clients have it.",
        "The chain was put in order.",
    )


def test_what_does_not_belong_to_the_chain_is_left_out(pair: Pair) -> None:
    stranger = Authority("Somebody", Authority("Else"))
    found = read(pair.pem + stranger.pem, pair.key_pem)
    assert found.pem == pair.pem
    assert found.notes == ("Somebody was left out: it does not belong to the chain.",)


def test_the_key_may_stand_with_the_chain(pair: Pair) -> None:
    assert read(pair.key_pem + pair.pem).pem == pair.pem


def test_a_key_with_parameters_before_it_is_found(pair: Pair) -> None:
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert (
        read(pair.pem, parameters + key_pem(pair.key)).private_key
        == read(pair.pem, pair.key_pem).private_key
    )


def test_der_is_taken_too(pair: Pair) -> None:
    leaf = pair.certificate.public_bytes(serialization.Encoding.DER)
    key = pair.key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    assert reading.from_pem(leaf, key, None, timezone.now()).facts.names == (
        "mail.example.com",
        "imap.example.com",
    )


def test_another_certificates_key_is_refused(pair: Pair) -> None:
    other = BELOW.issue("other.example.com")
    assert refusal(pair.pem, other.key_pem) == (
        "key",
        "The key is not the one of mail.example.com and 1 more,"
        " nor of the 1 other certificates given.",
    )


def test_an_encrypted_key_needs_its_passphrase_and_is_stored_without(pair: Pair) -> None:
    locked = pair.key_with(b"open sesame")
    assert refusal(pair.pem, locked) == (
        "passphrase",
        "The key is encrypted: give its passphrase.",
    )
    assert refusal(pair.pem, locked, "wrong") == (
        "passphrase",
        "This is not the passphrase of the key.",
    )
    assert read(pair.pem, locked, "open sesame").private_key == Secret(pair.key_pem)
    assert refusal(pair.pem, pair.key_pem, "needless")[0] == "passphrase"


@pytest.mark.parametrize(
    ("days", "since_days", "said"),
    [(-2, -30, "The certificate expired on "), (90, 3, "The certificate is not valid before ")],
)
def test_what_is_not_valid_today_is_refused(days: int, since_days: int, said: str) -> None:
    pair = BELOW.issue("mail.example.com", days=days, since_days=since_days)
    part, message = refusal(pair.pem, pair.key_pem)
    assert part == "certificate"
    assert message.startswith(said)


def _signed_by_hand(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "weak.example.com")])
    now = timezone.now()
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(ROOT.name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
    )
    signed = builder.sign(ROOT.pair.key, reading.hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def test_weak_keys_are_refused_with_the_reason() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    assert refusal(_signed_by_hand(weak), key_pem(weak)) == (
        "key",
        "The certificate has an RSA key of 1024 bits: too weak, 2048 at least.",
    )
    odd = ec.generate_private_key(ec.SECP256K1())
    part, message = refusal(_signed_by_hand(odd), key_pem(odd))
    assert (part, "secp256k1" in message) == ("key", True)
    unusable = dsa.generate_private_key(2048)
    assert refusal(_signed_by_hand(weak), key_pem(unusable))[0] == "key"


def test_broken_signatures_are_refused_with_the_reason(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    command = "req -x509 -newkey rsa:2048 -sha1 -nodes -days 30 -subj /CN=old.example.com"
    subprocess.run(
        ["openssl", *command.split(), "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    part, message = refusal(certificate.read_text(), key.read_text())
    assert part == "certificate"
    assert "signed with SHA-1" in message


def test_no_names_is_a_remark() -> None:
    key = rsa.generate_private_key(65537, 2048)
    found = read(_signed_by_hand(key), key_pem(key))
    assert found.facts.names == ("weak.example.com",)
    assert "names no host" in found.notes[0]


@pytest.mark.parametrize(
    ("chain", "key", "part"),
    [
        ("", "x", "certificate"),
        ("hello", "x", "certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "x", "certificate"),
        ("-----BEGIN NOTHING-----\nAAAA\n-----END NOTHING-----", "x", "certificate"),
        ("CHAIN", "", "key"),
        ("CHAIN", "hello", "key"),
        ("CHAIN", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "key"),
        ("CHAIN", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "key"),
        ("CHAIN", "KEY KEY", "key"),
        ("CHAIN" * 6, "KEY", "certificate"),
    ],
)
def test_whatever_is_given_has_an_answer(pair: Pair, chain: str, key: str, part: str) -> None:
    chain = chain.replace("CHAIN", pair.pem)
    assert refusal(chain, key.replace("KEY", pair.key_pem) if key[:3] == "KEY" else key)[0] == part


def test_pkcs12_is_opened_with_its_password(pair: Pair) -> None:
    data = pkcs12.serialize_key_and_certificates(
        b"mail",
        pair.key,
        pair.certificate,
        [ROOT.pair.certificate, *pair.chain],
        serialization.BestAvailableEncryption(b"secret"),
    )
    now = timezone.now()
    found = reading.from_pkcs12(data, Secret("secret"), now)
    assert found.pem == pair.pem
    for password, said in ((None, "needs its password"), (Secret("no"), "not its password")):
        with pytest.raises(Refused, match=said) as caught:
            reading.from_pkcs12(data, password, now)
        assert caught.value.part == "passphrase"
    for junk in (b"", b"junk"):
        with pytest.raises(Refused) as caught:
            reading.from_pkcs12(junk, None, now)
        assert caught.value.part == "certificate"


def test_a_self_signed_certificate_is_made_for_names_and_addresses() -> None:
    found = making.self_signed(["mail.example.com", "*.example.org", "192.0.2.1"], timezone.now())
    assert found.facts.names == ("mail.example.com", "*.example.org", "192.0.2.1")
    assert (found.facts.key_kind, found.facts.is_self_signed) == ("EC P-256", True)
    assert read(found.pem, found.private_key.reveal()).pem == found.pem
    for bad in ([], ["a b"], ["-"], ["x" * 300], ["ümlaut.example"]):
        with pytest.raises(Refused):
            making.self_signed(bad, timezone.now())


def test_a_self_signed_certificate_of_others_is_taken() -> None:
    pair = self_signed("mail.example.com", kind="rsa")
    assert read(pair.pem, pair.key_pem).facts.key_kind == "RSA 2048"
