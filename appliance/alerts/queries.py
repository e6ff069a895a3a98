"""Read alerts: what is wrong now, who is told, what has to be sent."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import QuerySet

from appliance.alerts.choices import DeliveryState, Occasion, Severity
from appliance.alerts.models import Alert, Delivery, Recipient
from appliance.alerts.policy import Told

MOST_AT_ONCE: Final = 200
"""Deliveries handed to the workers by one look."""

_COUNTING: Final = (DeliveryState.WAITING, DeliveryState.SENT)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is wrong now, in short."""

    critical: int
    warnings: int

    @property
    def total(self) -> int:
        """Give how many there are."""
        return self.critical + self.warnings


def open_alerts() -> "QuerySet[Alert]":
    """Give what is wrong now, the worst first."""
    return Alert.objects.filter(cleared_at=None)


def open_about(kind: str) -> set[str]:
    """Give what alerts of a kind are about now, so that who raised them can clear the rest."""
    return set(open_alerts().filter(kind=kind).values_list("about", flat=True))


def standing() -> Standing:
    """Count what is wrong now."""
    found = list(open_alerts().values_list("severity", flat=True))
    critical = found.count(Severity.CRITICAL)
    return Standing(critical, len(found) - critical)


def open_count() -> int:
    """Count what is wrong now, for the sidebar."""
    return open_alerts().count()


def recipients() -> "QuerySet[Recipient]":
    """Give who is told, without secrets: a key file that is lost keeps nobody from noticing."""
    return all_recipients().filter(enabled=True)


def all_recipients() -> "QuerySet[Recipient]":
    """Give everybody, also who is told nothing at present; without secrets."""
    return Recipient.objects.defer("webhook_url", "webhook_secret")


def told(alert: Alert) -> dict[tuple[int, str], Told]:
    """Give the last each was told of this trouble, by recipient and target."""
    rows = Delivery.objects.filter(
        alert__kind=alert.kind, alert__about=alert.about, state__in=_COUNTING
    ).order_by("pk")
    values = rows.values_list(
        "recipient_id", "target", "occasion", "severity", "created_at", "level"
    )
    return {
        (recipient, target): Told(Occasion(why), Severity(severity), at, level)
        for recipient, target, why, severity, at, level in values
    }


def due(now: datetime) -> list[int]:
    """Give the deliveries to be attempted now, the oldest first."""
    waiting = Delivery.objects.filter(state=DeliveryState.WAITING, next_at__lte=now)
    return list(waiting.order_by("next_at").values_list("pk", flat=True)[:MOST_AT_ONCE])


def troubled() -> list[Delivery]:
    """Give the newest message to each recipient that could not be sent so far."""
    rows = Delivery.objects.exclude(last_error="").filter(
        state__in=(DeliveryState.WAITING, DeliveryState.FAILED), recipient__enabled=True
    )
    newest = {(one.recipient_id, one.target): one for one in _with_recipient(rows.order_by("pk"))}
    return [one for one in newest.values() if not _was_sent_since(one)]


def _with_recipient(rows: "QuerySet[Delivery]") -> "QuerySet[Delivery]":
    return rows.select_related("recipient").defer(
        "recipient__webhook_url", "recipient__webhook_secret"
    )


def _was_sent_since(delivery: Delivery) -> bool:
    return Delivery.objects.filter(
        recipient=delivery.recipient_id,
        target=delivery.target,
        state=DeliveryState.SENT,
        sent_at__gte=delivery.created_at,
    ).exists()
