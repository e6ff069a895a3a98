"""What was renewed is published by itself, when nothing else would be with it."""

from datetime import datetime
from typing import Final

from django.db import transaction
from django.urls import reverse

from appliance.acme.choices import ENDED, OrderState
from appliance.acme.models import Issuance, Order, Variant
from appliance.acme.services.kinds import UNPUBLISHED
from appliance.alerts import services as alerts
from appliance.certs.models import CertificateVersion
from appliance.lib.x509 import facts_of_pem
from appliance.publish import queries as published
from appliance.publish import unattended
from proxycore.contract.tls import Certificate

_THERE: Final = (*ENDED, OrderState.STORED)
"""States of orders whose certificates have come, or never will."""


def is_renewal(before: Certificate, after: Certificate) -> bool:
    """Tell whether one certificate is the other, renewed here by ACME.

    A certificate that an operator chose instead, or uploaded, is not: that is his to publish.
    """
    old, new = (facts_of_pem(one.ssl_certificate) for one in (before, after))
    if old is None or new is None:
        return False
    variant = Variant.objects.filter(fingerprint=new.fingerprint).first()
    if variant is None or variant.certificate_id is None:
        return False
    versions = CertificateVersion.objects.filter(certificate_id=variant.certificate_id)
    return versions.filter(fingerprint=old.fingerprint).exists()


def publish(now: datetime) -> None:
    """Publish what has been renewed since, or say that it waits for somebody."""
    waiting = list(Issuance.objects.filter(publish_since__isnull=False))
    # the second one of a pair is about to come: one revision for both
    busy = Order.objects.filter(variant__issuance__in=waiting, problem={}).exclude(state__in=_THERE)
    coming = set(busy.values_list("variant__issuance", flat=True))
    ready = [one for one in waiting if one.pk not in coming]
    automatic = [one for one in ready if one.publish_automatically]
    if not ready:
        return
    if automatic:
        _publish(ready, automatic)
    elif not published.is_pending():
        _settle(ready)


def _publish(ready: list[Issuance], automatic: list[Issuance]) -> None:
    names = ", ".join(one.name for one in automatic)
    try:
        unattended.publish_renewed(is_renewal, f"Renewed by itself: {names}"[:200])
    except unattended.NotAlone as fault:
        for one in automatic:
            alerts.raise_alert(
                UNPUBLISHED,
                one.name,
                f"A new certificate is stored, but clients are still shown the old one. {fault}"
                " Look at the Publish page.",
                url=reverse("admin:publish_configrevision_changelist"),
            )
        return
    _settle(ready)


@transaction.atomic
def _settle(issuances: list[Issuance]) -> None:
    for one in issuances:
        # a certificate that was stored meanwhile waits on
        Issuance.objects.filter(pk=one.pk, publish_since=one.publish_since).update(
            publish_since=None
        )
        alerts.clear_alert(UNPUBLISHED, one.name, "It was published.")
