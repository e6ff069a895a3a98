"""Who is warned when a certificate is about to expire: at 21, 14, 7, 3 and 1 days, by alerts.

A threshold counts for a certificate when it is less than a third of its life: one of 90 days is
warned of from 21 days on, one of six days on its last day only. Whatever renews by itself does so
before, so that a warning means that it did not.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.urls import reverse

from appliance.alerts import queries as alert_queries
from appliance.alerts import services as alerts
from appliance.alerts.choices import Severity
from appliance.alerts.registry import Kind
from appliance.certs import queries
from appliance.certs.models import Authority, Certificate, CertificateFacts, IssuedCertificate

THRESHOLDS_DAYS: Final = (21, 14, 7, 3, 1)
_CRITICAL_DAYS: Final = 7
_DAY: Final = timedelta(days=1)

KIND: Final = Kind(
    "certificate.expiry",
    "A certificate expires soon",
    "Renew it, and publish: mail clients refuse one that has expired. What renews by itself did"
    " not; its page says why.",
)


@dataclass(frozen=True, slots=True)
class Watched:
    """Something with an end."""

    about: str
    """Names it among all that is watched."""
    facts: CertificateFacts
    url: str
    used_by: str = ""
    """Where it is used, in words."""


def level(not_before: datetime, not_after: datetime, now: datetime) -> int:
    """Say how many thresholds have passed, one more when it has expired; 0: all is well."""
    left = not_after - now
    counting = [days for days in THRESHOLDS_DAYS if days * _DAY < (not_after - not_before) / 3]
    passed = sum(left <= days * _DAY for days in counting)
    return passed + (left <= timedelta())


def look(now: datetime) -> None:
    """Warn of what is about to expire, and take back what is no longer so."""
    left = alert_queries.open_about(KIND.name)
    for one in watched():
        _look_at(one, now)
        left.discard(one.about)
    for about in left:
        alerts.clear_alert(KIND.name, about, "It is not used any more, or was deleted.")


def watched() -> list[Watched]:
    """Give what is watched: certificates that are used somewhere."""
    used = queries.uses()
    found = []
    for certificate in Certificate.objects.defer("pem", "private_key").filter(pk__in=used):
        by = ", ".join(dict.fromkeys(use.label for use in used[certificate.pk]))
        url = reverse("admin:certs_certificate_change", args=[certificate.pk])
        found.append(Watched(certificate.name, certificate, url, by))
    for authority in Authority.objects.defer("pem", "private_key"):
        url = reverse("admin:certs_authority_change", args=[authority.pk])
        found.append(Watched(f"authority {authority.name}", authority, url))
    for issued in _issued():
        url = reverse("admin:certs_authority_change", args=[issued.authority_id])
        about = f"{issued.shown_names} of authority {issued.authority.name}"
        found.append(Watched(about, issued, url))
    return found


def _issued() -> list[IssuedCertificate]:
    """Give the newest that authorities issued for the same names; what is kept is watched above."""
    kept = Certificate.objects.values("fingerprint")
    rows = IssuedCertificate.objects.filter(revoked_at=None).exclude(fingerprint__in=kept)
    newest = rows.select_related("authority").defer("pem", "authority__private_key").order_by("pk")
    return list({(one.authority_id, *one.names): one for one in newest}.values())


def replaced(certificates: Iterable[Certificate], now: datetime) -> None:
    """Take warnings back at once for what has got another content."""
    for one in certificates:
        if not level(one.not_before, one.not_after, now):
            until = f"Its successor is valid until {one.not_after:%Y-%m-%d %H:%M} UTC."
            alerts.clear_alert(KIND.name, one.name, until)


def _look_at(one: Watched, now: datetime) -> None:
    facts = one.facts
    passed = level(facts.not_before, facts.not_after, now)
    if not passed:
        until = f"It is valid until {facts.not_after:%Y-%m-%d %H:%M} UTC."
        alerts.clear_alert(KIND.name, one.about, until)
        return
    left = facts.not_after - now
    when = f"{facts.not_after:%Y-%m-%d %H:%M} UTC"
    says = (
        f"It expired on {when}" if left <= timedelta() else f"It expires on {when}, {_words(left)}"
    )
    names = f" It is for {facts.shown_names}." if facts.names else ""
    used = f" Used by {one.used_by}." if one.used_by else ""
    severity = Severity.CRITICAL if left <= _CRITICAL_DAYS * _DAY else Severity.WARNING
    alerts.raise_alert(
        KIND.name, one.about, f"{says}.{names}{used}", severity=severity, url=one.url, level=passed
    )


def _words(left: timedelta) -> str:
    """Say how long that is, in steps so coarse that the text changes once a day."""
    days = left // _DAY
    return "in less than a day" if days < 1 else "in 1 day" if days == 1 else f"in {days} days"
