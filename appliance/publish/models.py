"""Published configurations, each under its number."""

from django.conf import settings
from django.db import models

from appliance.lib.fields import EncryptedTextField


class Candidate(models.Model):
    """A draft that the nodes are asked about before it is published (ADR-0024). One at most.

    The number of a row is never used again, so an answer cannot be taken for one to another.
    """

    digest = models.CharField(max_length=64)
    document = EncryptedTextField()
    """The snapshot as JSON, with its secrets."""
    asked_at = models.DateTimeField()

    class Meta:
        """Nobody but the Publish page knows of it."""

        default_permissions = ()

    def __str__(self) -> str:
        return f"Candidate {self.pk}"


class ConfigRevision(models.Model):
    """One published configuration. Rows are never changed, only which of them is active."""

    number = models.PositiveBigIntegerField(unique=True)
    digest = models.CharField(max_length=64)
    """SHA-256 of the content (contract.snapshot.Snapshot.digest)."""
    document = EncryptedTextField()
    """The snapshot as JSON. Encrypted: it holds the secrets of auth services in clear."""
    note = models.CharField(max_length=200, blank=True, default="")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    is_active = models.BooleanField(default=False)

    class Meta:
        """Newest first; the database holds that one revision at most is active."""

        ordering = ("-number",)
        verbose_name = "revision"
        constraints = (
            models.UniqueConstraint(
                fields=("is_active",),
                condition=models.Q(is_active=True),
                name="publish_one_active_revision",
            ),
        )
        default_permissions = ("view",)
        permissions = (("publish_configrevision", "Can publish and roll back"),)

    def __str__(self) -> str:
        return f"Revision {self.number}"
