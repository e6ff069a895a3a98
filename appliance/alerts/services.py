"""Everything that writes alerts. Other apps need ``raise_alert`` and ``clear_alert`` only.

Both may be called at any time and as often as one likes, inside transactions too: what is to be
sent is stored with them, and goes out after the commit.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from appliance.alerts import policy, queries
from appliance.alerts import registry as registry
from appliance.alerts.choices import DeliveryState, Occasion, Severity
from appliance.alerts.models import Alert, Delivery, Recipient

KEPT: Final = timedelta(days=180)
"""How long an alert that is over can be looked up."""
TESTS_KEPT: Final = timedelta(days=7)

_ABOUT: Final = 200
_GONE: Final = "There is no {about} any more: it was deleted, or is called something else now."
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Telling:
    """Somebody who is to be told, and why."""

    recipient: Recipient
    target: str
    occasion: Occasion


def raise_alert(
    kind: str,
    about: str,
    text: str,
    *,
    severity: str = Severity.WARNING,
    url: str = "",
    level: int = 0,
) -> None:
    """Say that something is wrong. Said again, it only updates the text, or makes it worse.

    kind: name of a registered Kind; about: what is in trouble, in few words; both are the key.
    text: what is wrong and what to do, for people. url: path of a page of the admin.
    level: within the severity; people are told again when it rises, as when the severity does.
    """
    about = about[:_ABOUT]
    said = {"text": text, "severity": Severity(severity), "url": url, "level": level}
    if Alert.objects.filter(kind=kind, about=about, cleared_at=None, **said).exists():
        return
    with transaction.atomic():
        now = timezone.now()
        alert = _open(kind, about) or _begin(kind, about, said, now)
        for name, value in said.items():
            setattr(alert, name, value)
        alert.save(update_fields=list(said))
        _tell(alert, now)
        _log.warning("alert: %s: %s", alert, text)


def clear_alert(kind: str, about: str, text: str = "") -> None:
    """Say that it is over; nothing if it was not raised. text: what is so instead."""
    about = about[:_ABOUT]
    if not Alert.objects.filter(kind=kind, about=about, cleared_at=None).exists():
        return
    with transaction.atomic():
        now = timezone.now()
        alert = _open(kind, about)
        if alert is None:
            return
        alert.cleared_at, alert.cleared_text = now, text
        alert.save(update_fields=["cleared_at", "cleared_text"])
        waiting = alert.deliveries.filter(state=DeliveryState.WAITING)
        waiting.update(state=DeliveryState.NEEDLESS)
        _tell(alert, now)
        _log.info("alert is over: %s: %s", alert, text)


def look(now: datetime) -> None:
    """Remind, tell new recipients, send what is due. Any number of processes may do so at once."""
    late = now - policy.GIVE_UP_AFTER - policy.LEASE
    Delivery.objects.filter(state=DeliveryState.WAITING, created_at__lt=late).update(
        state=DeliveryState.FAILED
    )
    recent = Q(cleared_at=None) | Q(cleared_at__gte=now - policy.GIVE_UP_AFTER)
    for seen in Alert.objects.filter(recent):
        if not _to_tell(seen, now):
            continue
        with transaction.atomic():
            alert = Alert.objects.select_for_update().filter(pk=seen.pk).first()
            if alert is not None:
                _tell(alert, now)
    for pk in queries.due(now):
        _send_soon(pk)


def clear_orphans() -> None:
    """Clear alerts that nobody is left to clear: what they were about is gone."""
    by_kind: dict[str, set[str]] = {}
    for kind, about in queries.open_alerts().values_list("kind", "about"):
        by_kind.setdefault(kind, set()).add(about)
    for name, abouts in by_kind.items():
        subjects = registry.kind(name).subjects
        if not registry.is_known(name):
            known, why = set[str](), "Nothing looks for this any more."
        elif subjects is not None:
            known, why = {one[:_ABOUT] for one in subjects()}, _GONE
        else:
            continue
        for about in abouts - known:
            clear_alert(name, about, why.format(about=about))


def tidy(now: datetime) -> None:
    """Forget what has long been over."""
    Alert.objects.filter(cleared_at__lt=now - KEPT).delete()
    Delivery.objects.filter(alert=None, created_at__lt=now - TESTS_KEPT).delete()


def send_test(recipient: Recipient) -> None:
    """Send a message that says it is a test."""
    text = "This is a test: messages of this kind will arrive here when something is wrong."
    now = timezone.now()
    with transaction.atomic():
        for target in recipient.targets:
            _queue(_Telling(recipient, target, Occasion.TEST), text, now)


def save_recipient(recipient: Recipient) -> Recipient:
    """Write a recipient. Raises ValidationError."""
    recipient.full_clean()
    recipient.save()
    return recipient


def delete_recipients(recipients: Iterable[Recipient]) -> None:
    """Tell them nothing any more."""
    for one in list(recipients):
        one.delete()


def _open(kind: str, about: str) -> Alert | None:
    rows = Alert.objects.select_for_update()
    return rows.filter(kind=kind, about=about, cleared_at=None).first()


def _begin(kind: str, about: str, said: dict[str, Any], now: datetime) -> Alert:
    """Begin an alert, or go on with one that was over for a short time only."""
    mine = Alert.objects.filter(kind=kind, about=about)
    before = mine.filter(cleared_at__gt=now - policy.QUIET).order_by("-cleared_at").first()
    try:
        with transaction.atomic():
            if before is None:
                return Alert.objects.create(kind=kind, about=about, since=now, **said)
            before.cleared_at, before.cleared_text, before.times = None, "", before.times + 1
            before.save(update_fields=["cleared_at", "cleared_text", "times"])
            return before
    except IntegrityError:
        # another process noticed it at the same time
        return mine.get(cleared_at=None)


def _tell(alert: Alert, now: datetime) -> None:
    """Write a message for everybody who is to be told now. Called under the alert's lock."""
    for telling in _to_tell(alert, now):
        is_over = telling.occasion is Occasion.CLEARED
        _queue(telling, alert.cleared_text if is_over else alert.text, now, alert)


def _to_tell(alert: Alert, now: datetime) -> list[_Telling]:
    trouble = policy.Trouble(
        alert.kind, Severity(alert.severity), alert.since, alert.is_open, alert.level
    )
    told = queries.told(alert)
    found = []
    for recipient in queries.recipients():
        wish = policy.Wish(
            Severity(recipient.severity),
            frozenset(recipient.kinds),
            recipient.remind_h,
            recipient.tell_cleared,
        )
        for target in recipient.targets:
            why = policy.occasion(trouble, wish, told.get((recipient.pk, target)), now)
            if why is not None:
                found.append(_Telling(recipient, target, why))
    return found


def _queue(telling: _Telling, text: str, now: datetime, alert: Alert | None = None) -> None:
    delivery = Delivery.objects.create(
        recipient=telling.recipient,
        alert=alert,
        target=telling.target,
        occasion=telling.occasion,
        severity=alert.severity if alert else Severity.WARNING,
        level=alert.level if alert else 0,
        text=text,
        created_at=now,
        next_at=now,
    )
    # a broker that is away must not hinder who noticed: the next look sends it
    transaction.on_commit(partial(_send_soon, delivery.pk), robust=True)


def _send_soon(pk: int) -> None:
    from appliance.alerts import tasks  # which need this module

    tasks.deliver.delay(pk)
