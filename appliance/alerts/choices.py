"""Closed lists of words the alerts use."""

from typing import Final

from django.db import models


class Severity(models.TextChoices):
    """How bad it is."""

    WARNING = "warning", "Warning"
    CRITICAL = "critical", "Critical"

    @property
    def rank(self) -> int:
        """Give a number that is higher for what is worse."""
        return list(Severity).index(self)


TONES: Final = {Severity.WARNING: "warning", Severity.CRITICAL: "danger"}


class Way(models.TextChoices):
    """How somebody is told."""

    MAIL = "mail", "by mail"
    WEBHOOK = "webhook", "by webhook: a POST to an address of yours"


class Occasion(models.TextChoices):
    """Why somebody is told."""

    RAISED = "raised", "new"
    WORSE = "worse", "worse"
    REMINDER = "reminder", "still so"
    CLEARED = "cleared", "over"
    TEST = "test", "test"


class DeliveryState(models.TextChoices):
    """The way of a message."""

    WAITING = "waiting", "Waiting"
    SENT = "sent", "Sent"
    FAILED = "failed", "Given up"
    NEEDLESS = "needless", "Over before it was sent"
