"""What a certificate says of itself, in words for people. Public parts only: no key passes here."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import NameOID
from django.utils import timezone

_BLOCK: Final = re.compile(
    rb"-----BEGIN (?P<label>[A-Z0-9 ]+)-----\r?\n.*?-----END (?P=label)-----", re.DOTALL
)
_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is shown of a certificate."""

    names: tuple[str, ...]
    """Host names and addresses it is for; the common name where it names none."""
    issuer: str
    not_before: datetime
    not_after: datetime
    fingerprint: str
    """SHA-256 over the whole certificate, hex in pairs."""
    key_kind: str
    """For instance ``EC P-256`` or ``RSA 2048``."""
    is_self_signed: bool
    serial: str = ""
    """Hex, as CAs and revocation lists show it."""

    @property
    def title(self) -> str:
        """Name it by what it is for."""
        more = f" and {len(self.names) - 1} more" if len(self.names) > 1 else ""
        return f"{self.names[0]}{more}" if self.names else "a certificate without a name"

    @property
    def until(self) -> str:
        """Say until which day it is valid."""
        return f"{self.not_after:%Y-%m-%d}"

    def days_left(self, now: datetime | None = None) -> int:
        """Give whole days until it expires; negative when it has."""
        return (self.not_after - (now or timezone.now())) // timedelta(days=1)


def blocks(data: bytes, ending: str) -> list[bytes]:
    """Give the PEM blocks whose label ends so: ``CERTIFICATE``, ``PRIVATE KEY``."""
    found = _BLOCK.finditer(data)
    return [one[0] for one in found if one["label"].endswith(ending.encode())]


def read_certificates(data: bytes) -> list[x509.Certificate]:
    """Read every certificate of a text, in its order. Raises ValueError."""
    return [x509.load_pem_x509_certificate(one) for one in blocks(data, "CERTIFICATE")]


def facts_of(certificate: x509.Certificate) -> Facts:
    """Say what a certificate is."""
    return Facts(
        names=_names(certificate),
        issuer=shown(certificate.issuer),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        fingerprint=fingerprint(certificate),
        key_kind=key_kind(certificate.public_key()),
        is_self_signed=certificate.issuer == certificate.subject,
        serial=f"{certificate.serial_number:X}",
    )


def facts_of_pem(pem: str) -> Facts | None:
    """Say what the first certificate of a text is; None when there is none."""
    try:
        found = read_certificates(pem.encode())
        return facts_of(found[0]) if found else None
    except ValueError:
        return None


def fingerprint(certificate: x509.Certificate) -> str:
    """Give the SHA-256 fingerprint as people compare it."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def shown(name: x509.Name) -> str:
    """Give a subject or issuer by its common name, or else by all of it."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string() or "nobody"


def key_kind(key: object) -> str:
    """Name the kind and size of a public or private key."""
    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        return f"EC {_CURVES.get(key.curve.name, key.curve.name)}"
    if isinstance(key, ed25519.Ed25519PublicKey | ed25519.Ed25519PrivateKey):
        return "Ed25519"
    if isinstance(key, ed448.Ed448PublicKey | ed448.Ed448PrivateKey):
        return "Ed448"
    return "DSA" if isinstance(key, dsa.DSAPublicKey | dsa.DSAPrivateKey) else "unknown"


def spki(key: object) -> bytes:
    """Give a public key as octets that can be compared."""
    encode = key.public_bytes  # type: ignore[attr-defined]
    found: bytes = encode(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return found


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(one.value) for one in common)
    names = [str(name) for name in extension.value.get_values_for_type(x509.DNSName)]
    names += [str(address) for address in extension.value.get_values_for_type(x509.IPAddress)]
    return tuple(names)
