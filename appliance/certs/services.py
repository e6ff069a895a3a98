"""Everything that writes certificates. A change is a draft until the configuration is published."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from appliance.certs import expiry, making, private_ca, queries, reading, registry
from appliance.certs.choices import Event, KeyKind, Usage
from appliance.certs.models import (
    Authority,
    Certificate,
    CertificateVersion,
    IssuedCertificate,
    SigningRequest,
)
from appliance.certs.reading import Material, PrivateKey, Refused
from appliance.lib.x509 import Facts, facts_of, facts_of_pem
from proxycore.contract.secret import Secret

_FACTS: Final = ("issuer", "key_kind", "not_before", "not_after", "fingerprint", "serial")


@transaction.atomic
def save(
    certificate: Certificate,
    material: Material | None = None,
    *,
    event: Event = Event.UPLOADED,
    user: User | None = None,
) -> Certificate:
    """Write a certificate, with a new content or only under a new name.

    Raises ValidationError; Refused when a server block would have two keys of one kind.
    """
    if material is None:
        certificate.full_clean()
        certificate.save(update_fields=["name", "updated_at"])
        return certificate
    if event is not Event.RESTORED:
        check_place(certificate, material)
    certificate.pem, certificate.private_key = material.pem, material.private_key
    described = _described(material.facts)
    for name, value in described.items():
        setattr(certificate, name, value)
    certificate.full_clean()
    certificate.save()
    CertificateVersion.objects.create(
        certificate=certificate, event=event, author=user, **described
    )
    expiry.replaced([certificate], timezone.now())
    return certificate


def check_place(certificate: Certificate, material: Material) -> None:
    """Refuse a content with another kind of key where a block has one of that kind already."""
    if certificate.pk is None or not certificate.key_kind:
        return
    kind = material.facts.key_kind
    if kind.split()[0] == certificate.key_kind.split()[0]:
        return
    for objection in registry.objections(certificate, kind):
        raise Refused("key", objection)


def _described(facts: Facts) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in _FACTS} | {"names": list(facts.names)}


@transaction.atomic
def make_self_signed(name: str, names: list[str], user: User | None = None) -> Certificate:
    """Make a certificate that vouches for itself. Raises ValidationError, Refused."""
    material = making.self_signed(names, timezone.now())
    return save(Certificate(name=name), material, event=Event.MADE, user=user)


@transaction.atomic
def delete(certificates: Iterable[Certificate]) -> None:
    """Delete certificates. Raises ProtectedError for one that a server block has chosen."""
    for one in list(certificates):
        one.delete()


@transaction.atomic
def restore(pem: str, key: Secret) -> Certificate | None:
    """Give the certificate with this content, brought back from a published revision.

    The one that has it; or the one that had it, which gets it back; or a new one. None when the
    content is no certificate (a file on the nodes, for instance).
    """
    facts = facts_of_pem(pem)
    if facts is None or not key:
        return None
    now = Certificate.objects.filter(fingerprint=facts.fingerprint).first()
    if now is not None and now.pem == pem:
        return now
    before = CertificateVersion.objects.filter(fingerprint=facts.fingerprint).first()
    certificate = now or (before.certificate if before else None)
    certificate = certificate or Certificate(name=queries.free_name(facts.title))
    return save(certificate, Material(pem, key, facts), event=Event.RESTORED)


# --- requests to an outside CA --------------------------------------------------------------------


@transaction.atomic
def make_request(request: SigningRequest, user: User | None = None) -> SigningRequest:
    """Make a key, which stays here, and the request for it. Raises Refused, ValidationError."""
    key = making.new_key(KeyKind(request.key_kind))
    request.pem = making.request(request.names, key, request.organization, request.country)
    request.private_key, request.author = reading.text_of(key), user
    request.full_clean()
    request.save()
    return request


def check_request(request: SigningRequest) -> None:
    """See whether it could be made. Raises Refused."""
    key = making.new_key(KeyKind.EC256)
    making.request(request.names, key, request.organization, request.country)


def read_answer(request: SigningRequest, chain: bytes) -> Material:
    """Read what the CA sent. Raises Refused, also when it is the answer to another request."""
    if not request.private_key:
        raise Refused("certificate", "This request has its answer already.")
    material = reading.answer_to(chain, request.private_key, timezone.now())
    if request.replaces is not None:
        check_place(request.replaces, material)
    return material


@transaction.atomic
def take_answer(
    request: SigningRequest, material: Material, user: User | None = None
) -> Certificate:
    """Make a certificate of a request and its answer. The key goes over into it."""
    certificate = request.replaces or Certificate(name=queries.free_name(request.name))
    save(certificate, material, event=Event.ANSWERED, user=user)
    request.private_key, request.replaces = Secret(""), certificate
    request.answered_at = timezone.now()
    request.save(update_fields=["private_key", "replaces", "answered_at"])
    return certificate


@transaction.atomic
def delete_requests(requests: Iterable[SigningRequest]) -> None:
    """Delete requests, and the keys of those that were never answered."""
    for one in list(requests):
        one.delete()


# --- private authorities --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Issued:
    """What a private authority has issued; the key is here once and nowhere else."""

    certificate: IssuedCertificate
    key: Secret | None = None
    kept: Certificate | None = None
    """The certificate it was stored as, when it is for this installation."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A certificate to be issued."""

    names: list[str]
    days: int
    usage: Usage = Usage.BOTH
    key_kind: KeyKind = KeyKind.EC256
    request: x509.CertificateSigningRequest | None = field(default=None, repr=False)
    """Somebody's own, who has the key."""


@transaction.atomic
def make_authority(authority: Authority, days: int, user: User | None = None) -> Authority:
    """Make a private authority. Raises ValidationError."""
    certificate, key = private_ca.make(authority.name, days, timezone.now())
    authority.pem, authority.private_key = _pem(certificate), reading.text_of(key)
    authority.author = user
    for name, value in _described(facts_of(certificate)).items():
        setattr(authority, name, value)
    authority.full_clean()
    authority.save()
    return authority


@transaction.atomic
def issue(
    authority: Authority, wanted: Wanted, user: User | None = None, *, keep_as: str = ""
) -> Issued:
    """Issue a certificate. Raises Refused, ValidationError.

    keep_as: name under which it is kept with its key, for server blocks of ours.
    """
    now = timezone.now()
    key = None if wanted.request else making.new_key(wanted.key_kind)
    owner = wanted.request or key
    assert owner is not None, "somebody has the key"
    certificate = private_ca.issue(
        _signer(authority),
        owner,
        wanted.names,
        wanted.usage,
        now + timedelta(days=wanted.days),
        now,
    )
    issued = IssuedCertificate.objects.create(
        authority=authority,
        pem=_pem(certificate),
        author=user,
        **_described(facts_of(certificate)),
    )
    if not keep_as or key is None:
        return Issued(issued, reading.text_of(key) if key else None)
    material = reading.assemble([certificate], key, now)
    kept = Certificate(name=queries.free_name(keep_as))
    return Issued(issued, kept=save(kept, material, event=Event.PRIVATE, user=user))


def revoke(issued: IssuedCertificate) -> None:
    """Put a certificate on its authority's revocation list."""
    if issued.revoked_at is None:
        issued.revoked_at = timezone.now()
        issued.save(update_fields=["revoked_at"])


@transaction.atomic
def revocation_list(authority: Authority) -> str:
    """Sign the present revocation list, as PEM text."""
    Authority.objects.filter(pk=authority.pk).update(crl_number=F("crl_number") + 1)
    authority.refresh_from_db(fields=["crl_number"])
    revoked = authority.issued.filter(revoked_at__isnull=False)
    listed = [(int(one.serial, 16), one.revoked_at) for one in revoked if one.revoked_at]
    return private_ca.revocation_list(
        _signer(authority), listed, authority.crl_number, timezone.now()
    )


@transaction.atomic
def delete_authorities(authorities: Iterable[Authority]) -> None:
    """Delete authorities; what they issued stays valid for whoever trusts them."""
    for one in list(authorities):
        one.delete()


def _signer(authority: Authority) -> tuple[x509.Certificate, PrivateKey]:
    own = x509.load_pem_x509_certificate(authority.pem.encode())
    return own, reading.load_key(authority.private_key)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
