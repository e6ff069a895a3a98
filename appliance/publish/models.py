"""Published configurations, each under its number."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from appliance.lib.fields import EncryptedTextField
from appliance.publish.parts import NO_GROUP


class Parted(models.Model):
    """A whole configuration, of which each node is sent its part (ADR-0037)."""

    digest = models.CharField(max_length=64)
    """SHA-256 of the content (contract.snapshot.Snapshot.digest)."""
    document = EncryptedTextField()
    """The snapshot as JSON. Encrypted: it holds the secrets of auth services in clear."""
    parts = models.JSONField(default=dict, blank=True)
    """Digests of the parts by group, "" for nodes of other groups; empty: the whole is for all."""

    class Meta:
        """Revisions and candidates."""

        abstract = True

    def digest_for(self, group: str) -> str:
        """Give the digest of what nodes of a group run of it."""
        return str(self.parts.get(group) or self.parts.get(NO_GROUP) or self.digest)

    def group_of(self, digest: str) -> str | None:
        """Give a group whose part has a digest; None when there is no such part."""
        parts = self.parts or {NO_GROUP: self.digest}
        return next((group for group, one in parts.items() if one == digest), None)


class Candidate(Parted):
    """A draft that the nodes are asked about before it is published (ADR-0024). One at most.

    The number of a row is never used again, so an answer cannot be taken for one to another.
    """

    asked_at = models.DateTimeField()

    class Meta:
        """Nobody but the Publish page knows of it."""

        default_permissions = ()

    def __str__(self) -> str:
        return f"Candidate {self.pk}"


class ConfigRevision(Parted):
    """One published configuration. Rows are never changed, only which of them is active."""

    number = models.PositiveBigIntegerField(unique=True)
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


class OnSave(models.Model):
    """One row: whether saving publishes, and what is saved and waits for it (``on_save``)."""

    enabled = models.BooleanField(default=False)
    quiet_s = models.PositiveIntegerField(
        "seconds", default=10, validators=[MinValueValidator(1), MaxValueValidator(3600)]
    )
    """So long nobody may have saved anything."""
    digest = models.CharField(max_length=64, blank=True, default="")
    """Fingerprint of the draft that the last save has left; empty: nothing waits."""
    due_at = models.DateTimeField(null=True, blank=True)
    """When it is published; None with a digest: something stands in the way."""
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    saves = models.PositiveIntegerField(default=0)
    said = models.CharField(max_length=300, blank=True, default="")
    """What became of the last one."""
    said_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """On the Publish page."""

        default_permissions = ()
        verbose_name = "publish on save"

    def __str__(self) -> str:
        return "Publish on save"

    @property
    def is_held(self) -> bool:
        """Tell whether something was saved that is not published by itself."""
        return self.said.startswith("Not ")
