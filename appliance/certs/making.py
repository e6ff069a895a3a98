"""Make a certificate that vouches for itself: for a first start, and for tests."""

import ipaddress
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.certs.reading import Material, Refused, assemble

DAYS: Final = 365
_MAX_COMMON_NAME: Final = 64
"""RFC 5280, appendix A.1: ub-common-name."""


def self_signed(names: list[str], now: datetime, days: int = DAYS) -> Material:
    """Make a certificate for host names and addresses, with a new EC P-256 key. Raises Refused."""
    if not names:
        raise Refused("certificate", "Give at least one name.")
    general = [_general(name) for name in names]
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


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    labels = name.removeprefix("*.").split(".")
    good = all(one and len(one) < 64 and one.replace("-", "").isalnum() for one in labels)
    if not good or not name.isascii() or len(name) > 253:
        raise Refused("certificate", f"“{name}” is no host name and no IP address.")
    return x509.DNSName(name.lower())
