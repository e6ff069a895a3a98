"""What clients are shown by every listener of every node, as we saw it last.

Nothing here is configuration: all of it can be deleted, and is found out again.
"""

from django.db import models

from appliance.fleet.models import Node
from appliance.proof.choices import Verdict


class Round(models.Model):
    """The last time all listeners of a node were looked at."""

    node = models.OneToOneField(Node, on_delete=models.CASCADE, related_name="proof_round")
    looked_at = models.DateTimeField(null=True)
    revision = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True, default="")
    """What the node ran then, as it acknowledged it."""
    words = models.CharField(max_length=500, blank=True, default="")
    """Why it could not be looked at; or what was left out."""
    claimed_at = models.DateTimeField(null=True)
    """When a worker was sent to look; None when it is back."""
    wanted_at = models.DateTimeField(null=True)
    """When an operator asked to look at once."""

    class Meta:
        """Nobody sees them by themselves."""

        default_permissions = ()

    def __str__(self) -> str:
        return f"listeners of {self.node}"


class Sighting(models.Model):
    """What one listener shows to clients that ask for one name, for one kind of key."""

    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="sightings")
    listener = models.CharField(max_length=128)
    """``Listen.key`` of the contract."""
    position = models.PositiveIntegerField(default=0)
    """Place in the configuration, for a stable order."""
    block = models.CharField("server block", max_length=100)
    protocol = models.CharField(max_length=8)
    is_implicit = models.BooleanField("TLS from the first octet", default=False)
    name = models.CharField("server name", max_length=255, blank=True, default="")
    """What the client asks for (SNI); empty: nothing."""
    kind = models.CharField("kind of key", max_length=20, blank=True, default="")
    expected = models.CharField(max_length=95, blank=True, default="")
    """Fingerprint of the certificate in the revision the node runs; empty: a file of the node."""
    seen = models.CharField(max_length=95, blank=True, default="")
    verdict = models.CharField(max_length=10, choices=Verdict)
    words = models.CharField(max_length=500, blank=True, default="")
    connections = models.PositiveIntegerField(default=0)
    """How many times was connected, for there are several workers behind a socket."""
    since = models.DateTimeField()
    """Since when nothing else was seen here."""
    looked_at = models.DateTimeField()
    failures = models.PositiveIntegerField(default=0)
    """Looks in a row that did not find what was published."""

    class Meta:
        """In the order of the configuration."""

        ordering = ("node__name", "position", "listener", "name", "kind")
        verbose_name = "proof of serving"
        verbose_name_plural = "proofs of serving"
        default_permissions = ("view",)
        permissions = (("look_sighting", "Can have listeners looked at now"),)
        constraints = (
            models.UniqueConstraint(
                fields=("node", "listener", "name", "kind"), name="proof_sighting_once"
            ),
        )
        indexes = (
            models.Index(fields=("expected",), name="proof_sighting_expected"),
            models.Index(fields=("seen",), name="proof_sighting_seen"),
        )

    def __str__(self) -> str:
        return f"{self.node}, {self.listener}"
