"""A private CA of this installation: what it signs, and with what in it. Pure but for randomness.

It is for mail hosts and nodes, where both ends are ours: whoever is to believe its certificates is
given its own. Mail clients are not, so it is nothing for server blocks that people connect to.
"""

from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.certs.choices import KeyKind, Usage
from appliance.certs.making import general_name, hash_for, new_key
from appliance.certs.reading import MIN_RSA_BITS, PrivateKey, Refused

MAX_DAYS: Final = 36_500
CRL_DAYS: Final = 30
"""How long a revocation list is current."""

_SKEW: Final = timedelta(hours=1)
_USAGES: Final = {
    Usage.SERVER: [ExtendedKeyUsageOID.SERVER_AUTH],
    Usage.CLIENT: [ExtendedKeyUsageOID.CLIENT_AUTH],
    Usage.BOTH: [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
}


def make(name: str, days: int, now: datetime) -> tuple[x509.Certificate, PrivateKey]:
    """Make an authority: its certificate and its key, EC P-256. Raises Refused."""
    key = new_key(KeyKind.EC256)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    public = key.public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hash_for(key))
    )
    return certificate, key


def issue(
    authority: tuple[x509.Certificate, PrivateKey],
    public: x509.CertificateSigningRequest | PrivateKey,
    names: list[str],
    usage: Usage,
    until: datetime,
    now: datetime,
) -> x509.Certificate:
    """Issue a certificate for somebody's key. It never outlives the authority. Raises Refused."""
    own, signer = authority
    if not names:
        raise Refused("certificate", "Give at least one name.")
    if until > own.not_valid_after_utc:
        raise Refused("certificate", "It would outlive its authority: choose fewer days.")
    is_name = len(names[0]) <= 64
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, names[0])] if is_name else []
    key = public.public_key()
    identifier = own.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(own.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(until)
        .add_extension(
            x509.SubjectAlternativeName([general_name(name) for name in names]),
            # RFC 5280 §4.2.1.6: critical where the subject is empty
            critical=not is_name,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(_USAGES[usage]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .sign(signer, hash_for(signer))
    )


def read_request(text: str) -> x509.CertificateSigningRequest:
    """Read somebody's request; only its key is taken from it. Raises Refused."""
    try:
        found = x509.load_pem_x509_csr(text.strip().encode())
        is_signed = found.is_signature_valid
    except (ValueError, InvalidSignature):
        raise Refused("certificate", "This is no certificate request, or a damaged one.") from None
    if not is_signed:
        raise Refused("certificate", "The request is not signed with its own key.")
    key = found.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        said = f"Its RSA key of {key.key_size} bits is too weak: {MIN_RSA_BITS} at least."
        raise Refused("certificate", said)
    return found


def names_of(request: x509.CertificateSigningRequest) -> list[str]:
    """Give the names a request asks for."""
    try:
        extension = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        common = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return [str(one.value) for one in common]
    names = [str(name) for name in extension.value.get_values_for_type(x509.DNSName)]
    return names + [str(one) for one in extension.value.get_values_for_type(x509.IPAddress)]


def revocation_list(
    authority: tuple[x509.Certificate, PrivateKey],
    revoked: list[tuple[int, datetime]],
    number: int,
    now: datetime,
) -> str:
    """Sign a list of serial numbers and when each was revoked, as PEM text."""
    own, signer = authority
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(own.subject)
        .last_update(now - _SKEW)
        .next_update(now + timedelta(days=CRL_DAYS))
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for serial, at in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(signer, hash_for(signer)).public_bytes(serialization.Encoding.PEM).decode()


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
