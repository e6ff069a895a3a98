"""Keys and certificate requests (PKCS#10), made here."""

import ipaddress
from collections.abc import Sequence
from typing import Any

from acme import messages
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from appliance.acme.choices import Keys
from proxycore.contract.secret import Secret

_RSA_EXPONENT = 65537


def new_account_key() -> Secret:
    """Make an account's key. EC P-256: every CA has to take ES256 (RFC 8555 §6.2)."""
    return _text(ec.generate_private_key(ec.SECP256R1()))


def new_key(kind: Keys) -> Secret:
    """Make a certificate's key. RSA 4096 takes seconds: not for a request of a browser."""
    if kind == Keys.EC256:
        return _text(ec.generate_private_key(ec.SECP256R1()))
    if kind == Keys.EC384:
        return _text(ec.generate_private_key(ec.SECP384R1()))
    bits = {Keys.RSA2048: 2048, Keys.RSA3072: 3072, Keys.RSA4096: 4096}[kind]
    return _text(rsa.generate_private_key(_RSA_EXPONENT, bits))


def request(names: Sequence[str], key: Secret) -> x509.CertificateSigningRequest:
    """Make the request for a certificate, with its names as alternative names only.

    A common name would be one more limit (64 octets), and no client looks at it.
    """
    private: Any = serialization.load_pem_private_key(key.reveal().encode(), None)
    general = [_general(name) for name in names]
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName(general), critical=False)
        .sign(private, hashes.SHA256())
    )


def identifiers(names: Sequence[str]) -> list[messages.Identifier]:
    """Give names as an order has them; addresses are of a kind of their own (RFC 8738)."""
    kinds = [
        messages.IDENTIFIER_IP if is_address(name) else messages.IDENTIFIER_FQDN for name in names
    ]
    return [
        messages.Identifier(typ=kind, value=name) for kind, name in zip(kinds, names, strict=True)
    ]


def is_address(name: str) -> bool:
    """Tell whether a name is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _general(name: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(name)) if is_address(name) else x509.DNSName(name)


def _text(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> Secret:
    octets = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Secret(octets.decode())
