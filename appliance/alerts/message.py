"""What a message says, by mail and by webhook."""

from typing import Any
from urllib.parse import urljoin

from django.conf import settings

from appliance.alerts import registry
from appliance.alerts.choices import Occasion, Severity
from appliance.alerts.models import Delivery

_BEGINNINGS = {
    Occasion.WORSE: "Worse: ",
    Occasion.REMINDER: "Still so: ",
    Occasion.CLEARED: "Over: ",
    Occasion.TEST: "Test",
}


def subject(delivery: Delivery) -> str:
    """Say in a line what it is about."""
    beginning = _BEGINNINGS.get(Occasion(delivery.occasion), "")
    alert = delivery.alert
    if alert is None:
        return f"[Postroad] {beginning}"
    critical = delivery.severity == Severity.CRITICAL and alert.is_open
    return " ".join(f"[Postroad] {beginning}{'CRITICAL: ' if critical else ''}{alert}".split())


def body(delivery: Delivery) -> str:
    """Say it for people, in plain text."""
    alert = delivery.alert
    if alert is None:
        return f"{delivery.text}\n"
    lines = [f"{alert.title}: {alert.about}", "", delivery.text or "It is over.", ""]
    lines.append(f"Since: {alert.since:%Y-%m-%d %H:%M} UTC")
    if delivery.occasion == Occasion.CLEARED and alert.cleared_at:
        lines.append(f"Over since: {alert.cleared_at:%Y-%m-%d %H:%M} UTC")
    help_text = registry.kind(alert.kind).help
    if help_text and delivery.occasion != Occasion.CLEARED:
        lines += ["", help_text]
    link = _link(alert.url)
    if link:
        lines += ["", link]
    return "\n".join(lines) + "\n"


def document(delivery: Delivery) -> dict[str, Any]:
    """Say it for programs. ``text`` is what chat services show of it."""
    alert = delivery.alert
    about = (
        {}
        if alert is None
        else {
            "kind": alert.kind,
            "title": alert.title,
            "about": alert.about,
            "text": delivery.text,
            "severity": delivery.severity,
            "since": alert.since.isoformat(),
            "cleared_at": alert.cleared_at.isoformat() if alert.cleared_at else None,
            "url": _link(alert.url),
        }
    )
    return {
        "id": str(delivery.identity),
        "event": delivery.occasion,
        "at": delivery.created_at.isoformat(),
        "text": f"{subject(delivery)}\n{delivery.text}".strip(),
        "alert": about or None,
    }


def _link(path: str) -> str:
    """Give the whole address of a page; blank when nobody said where the admin is reached."""
    return urljoin(settings.ADMIN_URL, path) if settings.ADMIN_URL and path else ""
