"""Read what an operator uploads, put it in order, and refuse what no client should be shown.

Every objection is a ``Refused`` that names the part it is about, so that a form can show it there.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from appliance.lib.x509 import Facts, blocks, facts_of, read_certificates, shown, spki
from proxycore.contract.secret import Secret

MIN_RSA_BITS: Final = 2048
MAX_CHAIN: Final = 10
MAX_BYTES: Final = 1_048_576

_WEAK_HASHES: Final = (hashes.MD5, hashes.SHA1)
_GOOD_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")

Part = Literal["certificate", "key", "passphrase"]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class Refused(ValueError):
    """What was given cannot be used; ``part`` says which of it."""

    def __init__(self, part: Part, message: str) -> None:
        super().__init__(message)
        self.part = part


@dataclass(frozen=True, slots=True)
class Material:
    """A certificate that may be served: in order, checked, with its key."""

    pem: str = field(repr=False)
    private_key: Secret
    facts: Facts
    notes: tuple[str, ...] = ()
    """What was put right, for the operator."""


def from_pem(chain: bytes, key: bytes, passphrase: Secret | None, now: datetime) -> Material:
    """Read PEM texts. A key may stand in the same text as the chain; DER is taken as well.

    Raises Refused.
    """
    if not key.strip() and blocks(chain, "PRIVATE KEY"):
        key = chain
    return assemble(_certificates(chain), _key(key, passphrase), now)


def answer_to(chain: bytes, key: Secret, now: datetime) -> Material:
    """Read what a CA sent for a request whose key is here. Raises Refused."""
    ours = _key(key.reveal().encode(), None)
    found = _certificates(chain)
    if all(spki(one.public_key()) != spki(ours.public_key()) for one in found):
        said = "This is not the answer to this request: it is for another key"
        raise Refused("certificate", f"{said} ({facts_of(found[0]).title}).")
    return assemble(found, ours, now)


def load_key(key: Secret) -> PrivateKey:
    """Give a key of ours, to sign with."""
    return _key(key.reveal().encode(), None)


def text_of(key: PrivateKey) -> Secret:
    """Give a key as it is stored."""
    return _store(key)


def from_pkcs12(data: bytes, password: Secret | None, now: datetime) -> Material:
    """Read a PKCS#12 file. Raises Refused."""
    if not data:
        raise Refused("certificate", "Give a file.")
    secret = password.reveal().encode() if password else None
    try:
        key, certificate, others = pkcs12.load_key_and_certificates(data, secret)
    except ValueError as fault:
        if "password" in str(fault).lower():
            said = "This is not its password." if secret else "The file needs its password."
            raise Refused("passphrase", said) from None
        raise Refused("certificate", "This is no PKCS#12 file.") from None
    if key is None or certificate is None:
        raise Refused("certificate", "The file holds no certificate with its key.")
    return assemble([certificate, *others], _usable(key), now)


def assemble(found: list[x509.Certificate], key: PrivateKey, now: datetime) -> Material:
    """Put the chain in order and check the whole. Raises Refused."""
    leaf = _leaf(found, key)
    chain, notes = _chain(leaf, found)
    for certificate in chain:
        _check(certificate, now, is_leaf=certificate is leaf)
    facts = facts_of(leaf)
    if not _has_alternative_names(leaf):
        notes.append("It names no host (subjectAltName): clients of today will not believe it.")
    pem = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain).decode()
    return Material(pem, _store(key), facts, tuple(notes))


def _certificates(data: bytes) -> list[x509.Certificate]:
    if not data.strip():
        raise Refused("certificate", "Give the certificate.")
    try:
        found = read_certificates(data)
        if not found and b"-----BEGIN" not in data:
            found = [x509.load_der_x509_certificate(data)]
    except ValueError:
        raise Refused("certificate", "This is no certificate, or a damaged one.") from None
    if not found:
        raise Refused("certificate", "There is no certificate in it (BEGIN CERTIFICATE).")
    if len(found) > MAX_CHAIN:
        raise Refused("certificate", f"There are {len(found)} certificates in it: is it a bundle?")
    return found


def _key(data: bytes, passphrase: Secret | None) -> PrivateKey:
    if not data.strip():
        raise Refused("key", "Give the private key.")
    found = blocks(data, "PRIVATE KEY")
    if len(found) > 1:
        raise Refused("key", "There is more than one key in it.")
    if not found and b"-----BEGIN" in data:
        raise Refused("key", "There is no private key in it (BEGIN PRIVATE KEY).")
    secret = passphrase.reveal().encode() if passphrase else None
    load = serialization.load_pem_private_key if found else serialization.load_der_private_key
    try:
        return _usable(load(found[0] if found else data, secret))
    except TypeError:
        if secret is None:
            message = "The key is encrypted: give its passphrase."
            raise Refused("passphrase", message) from None
        message = "The key is not encrypted: leave the passphrase out."
        raise Refused("passphrase", message) from None
    except (ValueError, UnicodeDecodeError) as fault:
        if isinstance(fault, Refused):
            raise
        if found and secret and b"ENCRYPTED" in found[0]:
            raise Refused("passphrase", "This is not the passphrase of the key.") from None
        raise Refused("key", "This is no private key, or a damaged one.") from None


def _usable(key: object) -> PrivateKey:
    if not isinstance(
        key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    ):
        raise Refused("key", "Keys of this kind are not for TLS servers: use EC P-256 or RSA.")
    return key


def _leaf(found: list[x509.Certificate], key: PrivateKey) -> x509.Certificate:
    """Find the certificate that is this key's, wherever it stands."""
    ours = spki(key.public_key())
    for certificate in found:
        if spki(certificate.public_key()) == ours:
            return certificate
    said = f"The key is not the one of {facts_of(found[0]).title}"
    others = f", nor of the {len(found) - 1} other certificates given" if len(found) > 1 else ""
    raise Refused("key", f"{said}{others}.")


def _chain(
    leaf: x509.Certificate, found: list[x509.Certificate]
) -> tuple[list[x509.Certificate], list[str]]:
    """Order from the leaf upwards, without the root; say what was put right."""
    chain, left, notes = [leaf], [one for one in found if one != leaf], list[str]()
    while chain[-1].issuer != chain[-1].subject:
        above = next((one for one in left if _issued(one, chain[-1])), None)
        if above is None:
            break
        left.remove(above)
        chain.append(above)
    if len(chain) > 1 and chain[-1].issuer == chain[-1].subject:
        notes.append(f"The root {shown(chain[-1].subject)} was left out: clients have it.")
        chain.pop()
    # twice the same does no harm
    left = [one for one in left if one not in chain]
    for one in left:
        if one.issuer != one.subject:
            notes.append(f"{shown(one.subject)} was left out: it does not belong to the chain.")
    if [one for one in found if one in chain] != chain:
        notes.append("The chain was put in order.")
    return chain, notes


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _check(certificate: x509.Certificate, now: datetime, *, is_leaf: bool) -> None:
    """Refuse what has expired or is weak, by the one of the chain that is."""
    who = "The certificate" if is_leaf else f"{shown(certificate.subject)}, of the chain,"
    if certificate.not_valid_after_utc < now:
        raise Refused(
            "certificate", f"{who} expired on {certificate.not_valid_after_utc:%Y-%m-%d}."
        )
    if certificate.not_valid_before_utc > now:
        since = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M}"
        raise Refused("certificate", f"{who} is not valid before {since} UTC.")
    _check_strength(certificate, who, is_leaf=is_leaf)


def _check_strength(certificate: x509.Certificate, who: str, *, is_leaf: bool) -> None:
    key = certificate.public_key()
    part: Part = "key" if is_leaf else "certificate"
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        message = f"{who} has an RSA key of {key.key_size} bits: too weak, {MIN_RSA_BITS} at least."
        raise Refused(part, message)
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in _GOOD_CURVES:
        message = f"{who} has a key on the curve {key.curve.name}: use P-256, P-384 or P-521."
        raise Refused(part, message)
    try:
        signature = certificate.signature_hash_algorithm
    except ValueError:
        raise Refused("certificate", f"{who} is signed in a way nobody knows.") from None
    if isinstance(signature, _WEAK_HASHES):
        name = {"sha1": "SHA-1", "md5": "MD5"}[signature.name]
        raise Refused(
            "certificate", f"{who} is signed with {name}, which is broken: have it reissued."
        )


def _has_alternative_names(certificate: x509.Certificate) -> bool:
    try:
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return True


def _store(key: PrivateKey) -> Secret:
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Secret(text.decode())
