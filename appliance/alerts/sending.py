"""Attempt one delivery: claim its row, send, write down what became of it.

Nothing here waits for a next attempt: its time is in the row, and a look at the rows finds it.
"""

import smtplib
import ssl
from datetime import datetime
from email.utils import parseaddr
from typing import Final

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db.models import F
from django.utils import timezone

from appliance.alerts import message, policy, webhook
from appliance.alerts.choices import DeliveryState, Way
from appliance.alerts.models import Alert, Delivery
from appliance.lib.vault import Undecryptable

NO_MAIL_SERVER: Final = (
    "No mail server is set: start the appliance with POSTROAD_EMAIL_URL=smtp://…"
)
_ERROR: Final = 500
"""Most characters of an error that are kept."""


class Failed(Exception):
    """It could not be sent now; says why, without a secret."""


def attempt(pk: int) -> None:
    """Send a delivery if it is due, and nobody else is at it."""
    now = timezone.now()
    if not _claim(pk, now):
        return
    rows = Delivery.objects.select_related("recipient", "alert")
    try:
        delivery = rows.get(pk=pk)
        if not _is_wanted(delivery):
            _end(pk, DeliveryState.NEEDLESS)
            return
        if delivery.recipient.way == Way.MAIL:
            _mail(delivery)
        else:
            webhook.post(delivery)
    except (Failed, webhook.Refused) as fault:
        _failed(pk, str(fault))
    except Undecryptable:
        _failed(
            pk, "Its URL or secret cannot be read: the key file is not the one it was written with."
        )
    else:
        _sent(delivery)


def _claim(pk: int, now: datetime) -> bool:
    """Make it ours: another process sees it again only when ours must be dead."""
    mine = Delivery.objects.filter(pk=pk, state=DeliveryState.WAITING, next_at__lte=now)
    return bool(mine.update(next_at=now + policy.LEASE, attempts=F("attempts") + 1))


def _is_wanted(delivery: Delivery) -> bool:
    recipient = delivery.recipient
    is_on = recipient.enabled or delivery.alert is None
    return is_on and delivery.target in recipient.targets


def _end(pk: int, state: DeliveryState, error: str = "") -> None:
    Delivery.objects.filter(pk=pk).update(state=state, last_error=error)


def _sent(delivery: Delivery) -> None:
    now = timezone.now()
    # whatever was decided meanwhile: it has gone out
    Delivery.objects.filter(pk=delivery.pk).update(
        state=DeliveryState.SENT, sent_at=now, last_error=""
    )
    if delivery.alert_id is not None:
        Alert.objects.filter(pk=delivery.alert_id).update(told_at=now)


def _failed(pk: int, error: str) -> None:
    now = timezone.now()
    delivery = Delivery.objects.get(pk=pk)
    again = policy.next_attempt(delivery.attempts, delivery.created_at, now)
    if again is None:
        _end(pk, DeliveryState.FAILED, error[:_ERROR])
        return
    # what was found needless meanwhile stays so
    Delivery.objects.filter(pk=pk).update(next_at=again, last_error=error[:_ERROR])


def _mail(delivery: Delivery) -> None:
    """Hand a mail to the mail server. Raises Failed."""
    if not settings.EMAIL_HOST:
        raise Failed(NO_MAIL_SERVER)
    sender = settings.DEFAULT_FROM_EMAIL
    domain = parseaddr(sender)[1].rpartition("@")[2]
    headers = {
        "Message-ID": f"<{delivery.identity}@{domain}>",
        "Auto-Submitted": "auto-generated",
        "X-Postroad-Event": delivery.occasion,
    }
    if delivery.alert_id is not None:
        # what is said of one trouble is one thread
        headers["References"] = f"<alert-{delivery.alert_id}@{domain}>"
    mail = EmailMessage(
        message.subject(delivery),
        message.body(delivery),
        sender,
        [delivery.target],
        headers=headers,
        connection=get_connection(),
    )
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as fault:
        code, said = next(iter(fault.recipients.values()))
        raise Failed(f"The mail server refuses the address: {code} {_text(said)}") from None
    except smtplib.SMTPResponseException as fault:
        raise Failed(f"The mail server says {fault.smtp_code} {_text(fault.smtp_error)}") from None
    except ssl.SSLCertVerificationError as fault:
        raise Failed(f"The mail server's certificate: {fault.verify_message}") from None
    except (smtplib.SMTPException, OSError) as fault:
        where = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
        why = getattr(fault, "strerror", None) or str(fault) or type(fault).__name__
        raise Failed(f"The mail server {where}: {why}") from None


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said
