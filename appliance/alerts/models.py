"""What is or was wrong, who is to be told, and what became of each message.

Deliveries are rows before they are tasks: a broker that loses everything loses no message.
"""

import uuid

from django.db import models
from django.db.models import Q

from appliance.alerts import registry
from appliance.alerts.choices import TONES, DeliveryState, Occasion, Severity, Way
from appliance.lib.fields import EncryptedTextField, WordsField


class Alert(models.Model):
    """One trouble, from when it was noticed until it was over."""

    kind = models.CharField(max_length=60)
    about = models.CharField(max_length=200)
    """What is in trouble, for instance a certificate's name. One is open for a kind and this."""
    text = models.TextField()
    severity = models.CharField(max_length=10, choices=Severity, default=Severity.WARNING)
    level = models.PositiveSmallIntegerField(default=0)
    """How far it has got within its severity, for instance from 21 days to 7."""
    url = models.CharField(max_length=500, blank=True)
    """Page of the admin where it can be seen or mended; a path."""
    since = models.DateTimeField()
    times = models.PositiveIntegerField(default=1)
    """How often it came back within a short time."""
    told_at = models.DateTimeField("last told", null=True)
    cleared_at = models.DateTimeField("over since", null=True)
    cleared_text = models.TextField(blank=True)

    class Meta:
        """What is wrong now first, the worst and newest first."""

        ordering = (
            models.F("cleared_at").desc(nulls_first=True),
            "severity",
            "-since",
        )
        constraints = (
            models.UniqueConstraint(
                fields=("kind", "about"), condition=Q(cleared_at=None), name="alerts_open_once"
            ),
        )
        indexes = (models.Index(fields=("kind", "about", "cleared_at")),)

    def __str__(self) -> str:
        return f"{self.title}: {self.about}"

    @property
    def title(self) -> str:
        """Name the kind, for people."""
        return registry.kind(self.kind).title

    @property
    def tone(self) -> str:
        """Give its colour."""
        return TONES[Severity(self.severity)] if self.is_open else "success"

    @property
    def is_open(self) -> bool:
        """Say whether it is so now."""
        return self.cleared_at is None


class Recipient(models.Model):
    """Somebody who is told, by mail or by webhook."""

    name = models.CharField(
        max_length=100, unique=True, help_text="How it is called here, for instance “on call”."
    )
    way = models.CharField("told", max_length=10, choices=Way, default=Way.MAIL)
    addresses = WordsField(
        "mail addresses", default=list, blank=True, help_text="With blanks between them."
    )
    webhook_url = EncryptedTextField(
        "URL",
        blank=True,
        default="",
        help_text="http or https. Stored encrypted, since such URLs often hold a password.",
    )
    webhook_host = models.CharField(max_length=255, blank=True, editable=False)
    """What may be shown of it."""
    webhook_secret = EncryptedTextField(
        "secret",
        blank=True,
        default="",
        help_text="Signs each request (HMAC-SHA256 in X-Postroad-Signature); blank: unsigned."
        " Stored encrypted, never shown.",
    )
    severity = models.CharField(
        "from which severity",
        max_length=10,
        choices=Severity,
        default=Severity.WARNING,
        help_text="What is less bad is not told.",
    )
    kinds = models.JSONField(
        "of what", default=list, blank=True, help_text="None chosen: of everything."
    )
    remind_h = models.PositiveSmallIntegerField(
        "remind after hours",
        default=24,
        help_text="Hours after which it is told again while it lasts; 0: once is enough;"
        " default 24.",
    )
    tell_cleared = models.BooleanField(
        "also when it is over", default=True, help_text="Say so when a trouble has gone."
    )
    enabled = models.BooleanField(default=True, help_text="Off: nothing is sent.")

    class Meta:
        """Order by name."""

        ordering = ("name",)

    def __str__(self) -> str:
        return str(self.name)

    @property
    def targets(self) -> list[str]:
        """Give what Delivery.target may be."""
        return list(self.addresses) if self.way == Way.MAIL else [""]

    @property
    def shown_target(self) -> str:
        """Say where messages go, without what is secret of it."""
        return ", ".join(self.addresses) if self.way == Way.MAIL else str(self.webhook_host)


class Delivery(models.Model):
    """One message to one recipient."""

    identity = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    """The same at each attempt, so that a receiver can tell a second one."""
    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE, related_name="deliveries")
    alert = models.ForeignKey(Alert, null=True, on_delete=models.CASCADE, related_name="deliveries")
    """None: a test."""
    target = models.CharField("to", max_length=254, blank=True)
    """A mail address, each on its own, so that a wrong one keeps nobody waiting; blank: the URL."""
    occasion = models.CharField("why", max_length=10, choices=Occasion)
    severity = models.CharField(max_length=10, choices=Severity)
    level = models.PositiveSmallIntegerField(default=0)
    text = models.TextField()
    """As it was when this was decided, so that a late message does not say something else."""
    state = models.CharField(max_length=10, choices=DeliveryState, default=DeliveryState.WAITING)
    created_at = models.DateTimeField("when")
    next_at = models.DateTimeField("next attempt")
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.TextField(blank=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        """Newest first."""

        ordering = ("-pk",)
        default_permissions = ()
        indexes = (models.Index(fields=("state", "next_at")),)

    def __str__(self) -> str:
        return f"{self.get_occasion_display()} to {self.shown_target}"

    @property
    def shown_target(self) -> str:
        """Say where it goes."""
        return str(self.target or self.recipient.webhook_host)
