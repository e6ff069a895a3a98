"""Everything that writes certificates. A change is a draft until the configuration is published."""

from collections.abc import Iterable
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from appliance.certs import making, queries
from appliance.certs.choices import Event
from appliance.certs.models import Certificate, CertificateVersion
from appliance.certs.reading import Material
from appliance.lib.x509 import facts_of_pem
from proxycore.contract.secret import Secret

_FACTS: Final = ("issuer", "key_kind", "not_before", "not_after", "fingerprint")


@transaction.atomic
def save(
    certificate: Certificate,
    material: Material | None = None,
    *,
    event: Event = Event.UPLOADED,
    user: User | None = None,
) -> Certificate:
    """Write a certificate, with a new content or only under a new name.

    Raises ValidationError.
    """
    if material is None:
        certificate.full_clean()
        certificate.save(update_fields=["name", "updated_at"])
        return certificate
    facts = material.facts
    certificate.pem, certificate.private_key = material.pem, material.private_key
    described = {name: getattr(facts, name) for name in _FACTS} | {"names": list(facts.names)}
    for name, value in described.items():
        setattr(certificate, name, value)
    certificate.full_clean()
    certificate.save()
    CertificateVersion.objects.create(
        certificate=certificate, event=event, author=user, **described
    )
    return certificate


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
