"""Make keys, requests for certificates, and certificates that vouch for themselves."""

import ipaddress
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.certs.choices import KeyKind
from appliance.certs.reading import Material, PrivateKey, Refused, assemble

DAYS: Final = 365
_MAX_COMMON_NAME: Final = 64
"""RFC 5280, appendix A.1: ub-common-name."""
_RSA_EXPONENT: Final = 65537


def new_key(kind: KeyKind) -> PrivateKey:
    """Make a private key."""
    if kind is KeyKind.EC256:
        return ec.generate_private_key(ec.SECP256R1())
    if kind is KeyKind.EC384:
        return ec.generate_private_key(ec.SECP384R1())
    return rsa.generate_private_key(_RSA_EXPONENT, int(kind.value.removeprefix("rsa")))


def request(names: list[str], key: PrivateKey, organization: str = "", country: str = "") -> str:
    """Make a certificate request (PKCS#10) as PEM text. Raises Refused."""
    if not names:
        raise Refused("certificate", "Give at least one name.")
    given = (
        (NameOID.COMMON_NAME, names[0] if len(names[0]) <= _MAX_COMMON_NAME else ""),
        (NameOID.ORGANIZATION_NAME, organization),
        (NameOID.COUNTRY_NAME, country.upper()),
    )
    try:
        subject = x509.Name([x509.NameAttribute(kind, text) for kind, text in given if text])
    except ValueError:
        raise Refused("certificate", "The country has two letters.") from None
    wanted = x509.SubjectAlternativeName([general_name(name) for name in names])
    made = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .add_extension(wanted, critical=False)
        .sign(key, hash_for(key))
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def hash_for(key: PrivateKey) -> hashes.SHA256 | None:
    """Give what a key signs with; Ed25519 has its own."""
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def self_signed(names: list[str], now: datetime, days: int = DAYS) -> Material:
    """Make a certificate for host names and addresses, with a new EC P-256 key. Raises Refused."""
    if not names:
        raise Refused("certificate", "Give at least one name.")
    general = [general_name(name) for name in names]
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:_MAX_COMMON_NAME])])
    usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # clocks of clients differ
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(general), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usages, critical=False)
        .sign(key, hashes.SHA256())
    )
    return assemble([certificate], key, now)


def general_name(name: str) -> x509.GeneralName:
    """Give a host name or an address as certificates have it. Raises Refused."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    labels = name.removeprefix("*.").split(".")
    good = all(one and len(one) < 64 and one.replace("-", "").isalnum() for one in labels)
    if not good or not name.isascii() or len(name) > 253:
        raise Refused("certificate", f"“{name}” is no host name and no IP address.")
    return x509.DNSName(name.lower())
