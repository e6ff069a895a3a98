"""A peer's certificate in words, each in the spelling nginx gives it to an auth service."""

import base64
import hashlib
from typing import Any, NamedTuple

from proxycore.net.tls.libssl import crypto, ffi, writing, written

_RFC2253 = 0x1110317
"""XN_FLAG_RFC2253."""

_SUBJECT_ALT_NAME = 85
_PIN_PREFIX = "sha256/"


class CertificateFacts(NamedTuple):
    """What is known of a certificate (auth-http: ``Auth-SSL-*``)."""

    subject: str
    """RFC 2253 form."""
    issuer: str
    """RFC 2253 form."""
    serial: str
    """Hexadecimal, upper case, as OpenSSL prints it."""
    fingerprint: str
    """SHA-1 of the DER form, 40 lower-case hexadecimal digits."""
    pem: str
    """The whole certificate; not escaped."""


def facts_of(certificate: Any) -> CertificateFacts:
    """Describe an X509. Control characters in names come out escaped, as RFC 2253 wants."""
    digest, size = ffi.new("unsigned char[64]"), ffi.new("unsigned int *")
    crypto.X509_digest(certificate, crypto.EVP_sha1(), digest, size)
    with writing() as bio:
        crypto.PEM_write_bio_X509(bio, certificate)
        pem = written(bio).decode("ascii")
        crypto.i2a_ASN1_INTEGER(bio, crypto.X509_get_serialNumber(certificate))
        serial = written(bio).decode("ascii").replace("\\\n", "")
    return CertificateFacts(
        subject=subject_of(certificate),
        issuer=_name(crypto.X509_get_issuer_name(certificate)),
        serial=serial,
        fingerprint=bytes(ffi.buffer(digest, size[0])).hex(),
        pem=pem,
    )


def subject_of(certificate: Any) -> str:
    """Give the subject in RFC 2253 form."""
    return _name(crypto.X509_get_subject_name(certificate))


def _name(name: Any) -> str:
    with writing() as bio:
        crypto.X509_NAME_print_ex(bio, name, 0, _RFC2253)
        return written(bio).decode("utf-8", "replace")


def names_of(certificate: Any) -> str:
    """Give the names a certificate is for: ``DNS:a.example, DNS:b.example``, or its subject."""
    place = crypto.X509_get_ext_by_NID(certificate, _SUBJECT_ALT_NAME, -1)
    if place < 0:
        return subject_of(certificate)
    with writing() as bio:
        crypto.X509V3_EXT_print(bio, crypto.X509_get_ext(certificate, place), 0, 0)
        return _printable(written(bio))


def validity_of(certificate: Any) -> tuple[str, str]:
    """Give from when and until when it is valid, as OpenSSL prints times."""
    with writing() as bio:
        crypto.ASN1_TIME_print(bio, crypto.X509_get0_notBefore(certificate))
        since = _printable(written(bio))
        crypto.ASN1_TIME_print(bio, crypto.X509_get0_notAfter(certificate))
        return since, _printable(written(bio))


def pin_of(certificate: Any) -> str:
    """Give the name of its key: ``sha256/`` and base64 of the SubjectPublicKeyInfo's digest."""
    key = crypto.X509_get_X509_PUBKEY(certificate)
    return (
        _PIN_PREFIX
        + base64.b64encode(hashlib.sha256(_der(crypto.i2d_X509_PUBKEY, key)).digest()).decode()
    )


def digest_of(certificate: Any) -> bytes:
    """Give the SHA-256 of the DER form."""
    return hashlib.sha256(_der(crypto.i2d_X509, certificate)).digest()


def _der(encode: Any, thing: Any) -> bytes:
    size = encode(thing, ffi.NULL)
    room = ffi.new("unsigned char[]", size)
    encode(thing, ffi.new("unsigned char **", room))
    return bytes(ffi.buffer(room))


def _printable(octets: bytes) -> str:
    text = octets.decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
