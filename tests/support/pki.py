"""A small certificate authority for tests: whatever certificate a story needs, in one line."""

import ipaddress
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_NOW = datetime.now(UTC)
_serials = itertools.count(0x1001)


@dataclass(frozen=True)
class Pair:
    """A certificate with its chain, and its key, as PEM text."""

    certificate: x509.Certificate = field(repr=False)
    key: Key = field(repr=False)
    chain: tuple[x509.Certificate, ...] = field(default=(), repr=False)

    @property
    def pem(self) -> str:
        """The certificate, then its chain."""
        parts = (self.certificate, *self.chain)
        return b"".join(_pem(part) for part in parts).decode()

    @property
    def key_pem(self) -> str:
        return self.key_with(None)

    def key_with(self, passphrase: bytes | None) -> str:
        """Give the key, encrypted if there is a passphrase."""
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase:
            encryption = serialization.BestAvailableEncryption(passphrase)
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        ).decode()

    def write(self, directory: Path, stem: str) -> tuple[Path, Path]:
        """Write both to files; give their paths."""
        certificate, key = directory / f"{stem}.crt", directory / f"{stem}.key"
        certificate.write_text(self.pem)
        key.touch(0o600)
        key.write_text(self.key_pem)
        return certificate, key


class Authority:
    """Issues certificates; its own is in ``pair``."""

    def __init__(self, name: str = "Test Authority", parent: "Authority | None" = None) -> None:
        self.parent = parent
        self._revoked: list[x509.Certificate] = []
        key = _new_key("ecdsa")
        issuer, signer = (parent.name, parent.pair.key) if parent else (_name(name), key)
        builder = _builder(_name(name), issuer, key, -1, 365).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        chain = parent.below_root() if parent else ()
        own = builder.sign(signer, hashes.SHA256())
        self.name: x509.Name = own.subject
        self.pair: Pair = Pair(own, key, chain)

    @property
    def pem(self) -> str:
        """Its own certificate only."""
        return _pem(self.pair.certificate).decode()

    def issue(
        self,
        *names: str,
        kind: str = "ecdsa",
        since_days: int = -1,
        days: int = 90,
        subject: x509.Name | None = None,
        client: bool = False,
    ) -> Pair:
        """Issue for names or IP addresses; the first is the common name.

        days: until when it is valid, from today; negative has expired.
        """
        key = _new_key(kind)
        builder = _builder(subject or _name(names[0]), self.name, key, since_days, days)
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general(name) for name in names]), critical=False
            )
        certificate = builder.sign(self.pair.key, hashes.SHA256())
        return Pair(certificate, key, self.below_root())

    def answer(self, request: x509.CertificateSigningRequest, days: int = 90) -> str:
        """Do what a CA does with a request; give the certificate with its chain, as PEM text."""
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        builder = _builder(request.subject, self.name, request, -1, days)
        signed = builder.add_extension(names.value, critical=False).sign(
            self.pair.key, hashes.SHA256()
        )
        return b"".join(_pem(one) for one in (signed, *self.below_root())).decode()

    def below_root(self) -> tuple[x509.Certificate, ...]:
        """Give what a server has to send along: the chain from here up, without the root."""
        return (self.pair.certificate, *self.pair.chain) if self.parent else ()

    def revoke(self, pair: Pair) -> None:
        """Put a certificate on the list."""
        self._revoked.append(pair.certificate)

    def revocation_list(self) -> str:
        """Give the list of what was revoked, as PEM text."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(_NOW - timedelta(days=1))
            .next_update(_NOW + timedelta(days=30))
        )
        for certificate in self._revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(_NOW).build())
        signed = builder.sign(self.pair.key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM).decode()


def self_signed(*names: str, kind: str = "ecdsa", days: int = 90) -> Pair:
    """Make a certificate that vouches for itself."""
    key = _new_key(kind)
    builder = _builder(_name(names[0]), _name(names[0]), key, -1, days).add_extension(
        x509.SubjectAlternativeName([_general(name) for name in names]), critical=False
    )
    return Pair(builder.sign(key, hashes.SHA256()), key)


def _new_key(kind: str) -> Key:
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: Key | x509.CertificateSigningRequest,
    since_days: int,
    days: int,
) -> x509.CertificateBuilder:
    until = _NOW + timedelta(days=days)
    since = min(_NOW + timedelta(days=since_days), until - timedelta(days=1))
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(next(_serials))
        .not_valid_before(since)
        .not_valid_after(until)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
