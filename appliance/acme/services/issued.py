"""What has been issued: into the certificate it is for, and when it is renewed."""

from datetime import datetime
from typing import Any

from django.urls import reverse

from appliance.acme import flow, renewal, wake
from appliance.acme.choices import Renew
from appliance.acme.models import Issuance, Order, Variant
from appliance.acme.problems import Remedy
from appliance.acme.services.kinds import FAILING
from appliance.alerts import services as alerts
from appliance.certs import queries as certificates
from appliance.certs import services as certs
from appliance.certs.choices import Event
from appliance.certs.models import Certificate
from appliance.certs.reading import Material
from appliance.lib.x509 import read_certificates


def store(order: Order, material: Material, now: datetime, chance: float) -> None:
    """Put what was issued where server blocks find it, and plan its renewal."""
    variant = order.variant
    certificate = variant.certificate or _new_certificate(variant)
    variant.certificate = certs.save(certificate, material, event=Event.ISSUED, user=order.author)
    facts = material.facts
    variant.fingerprint = facts.fingerprint
    variant.not_before, variant.not_after = facts.not_before, facts.not_after
    variant.account_url = variant.issuance.account.url
    variant.window_start = variant.window_end = variant.try_at = None
    variant.explanation_url = variant.ask_problem = ""
    variant.failures = 0
    plan(variant, now, chance)
    variant.save()
    alerts.clear_alert(FAILING, about(variant), "A certificate was issued.")
    Issuance.objects.filter(pk=variant.issuance_id).update(publish_since=now)
    wake.publishing()


def _new_certificate(variant: Variant) -> Certificate:
    pair = variant.issuance.variants.count() > 1
    kind = f" ({variant.get_keys_display()})" if pair else ""
    return Certificate(name=certificates.free_name(f"{variant.issuance.name}{kind}"))


def plan(variant: Variant, now: datetime, chance: float) -> None:
    """Say when a variant is renewed by its age, and when the CA is asked for a better day."""
    if variant.not_before is None or variant.not_after is None:
        return
    wanted = variant.issuance.renew
    by_age = renewal.by_age(variant.not_before, variant.not_after, chance)
    variant.renew_at = None if wanted == Renew.NEVER else by_age
    variant.ask_at = now if wanted == Renew.SUGGESTED else None


def note_failure(order: Order, now: datetime, chance: float) -> None:
    """Say when an order that failed is followed by another."""
    variant = order.variant
    kind, remedy = order.problem.get("kind", ""), order.problem.get("remedy", "")
    if kind == "cancelled":
        Variant.objects.filter(pk=variant.pk).update(try_at=now)
        return
    variant.failures += 1
    at = flow.reorder_at(variant.failures, now, chance)
    variant.try_at = flow.operator_at(now) if remedy == Remedy.OPERATOR else at
    variant.save(update_fields=["failures", "try_at"])


def replaced_by(variant: Variant) -> str:
    """Name the certificate that a new one would replace, for the CA that issued it."""
    certificate = certificate_of(variant)
    issuances = Issuance.objects.filter(pk=variant.issuance_id)
    same_ca = issuances.filter(account__url=variant.account_url).exclude(account__url="").exists()
    if certificate is None or not same_ca or certificate.fingerprint != variant.fingerprint:
        return ""
    found = read_certificates(certificate.pem.encode())
    return renewal.certificate_id(found[0]) if found else ""


def certificate_of(variant: Variant) -> Certificate | None:
    """Give the certificate of a variant without its key, which may not be readable just now."""
    rows = Certificate.objects.filter(acme=variant.pk)
    return rows.defer("private_key").first()


def about(variant: Variant) -> str:
    """Name a variant in an alert."""
    return str(variant)


def page(issuance: Any) -> str:
    """Give the address of an issuance's page."""
    return reverse("admin:acme_issuance_change", args=(issuance.pk,))
