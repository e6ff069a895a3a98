"""The latest totals of each node, what was counted between two of them, and their roll-ups."""

from django.db import models

from appliance.stats.levels import Level


class NodeTotals(models.Model):
    """Cumulative totals of one run of one node, as of its last report.

    A row per boot: counters start at zero with a new boot, so the fleet's totals are the sum over
    all rows and no report ever has to be a difference (ADR-0007).
    """

    node = models.PositiveBigIntegerField()
    """Id of the fleet's node; not a foreign key, since statistics do not know the fleet."""
    boot_id = models.CharField(max_length=64)
    seq = models.PositiveBigIntegerField(default=0)
    values = models.JSONField(default=dict)
    """Totals by series name (proxycore.contract.stats)."""
    histograms = models.JSONField(default=dict)
    """Likewise, in rows of numbers."""
    started_at = models.DateTimeField(auto_now_add=True)
    received_at = models.DateTimeField()
    """When it was so: the time of the report, or earlier if it was told late."""

    class Meta:
        """One row per node and boot."""

        constraints = (
            models.UniqueConstraint(fields=("node", "boot_id"), name="stats_totals_once_per_boot"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"node {self.node}, boot {self.boot_id}"


class Sample(models.Model):
    """What one node counted in a few seconds: the raw records of the roll-ups (ADR-0032).

    An interval that reaches over the border of buckets makes several of these.
    """

    node = models.PositiveBigIntegerField()
    boot_id = models.CharField(max_length=64)
    seq = models.PositiveBigIntegerField()
    level = models.CharField(max_length=8, choices=Level)
    """Level of the bucket it is added to: minutes, unless it was told hours late."""
    start = models.DateTimeField()
    """Beginning of that bucket."""
    at = models.DateTimeField()
    """End of the interval."""
    covered_ms = models.PositiveBigIntegerField()
    data = models.BinaryField()
    """Packed ``numbers.Numbers``."""

    class Meta:
        """Once for each report and bucket."""

        constraints = (
            models.UniqueConstraint(
                fields=("node", "boot_id", "seq", "level", "start"), name="stats_sample_once"
            ),
        )
        indexes = (
            models.Index(fields=("level", "start", "node"), name="stats_sample_bucket"),
            models.Index(fields=("at",), name="stats_sample_at"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"node {self.node}, {self.at}"


class RollUp(models.Model):
    """What was counted in one bucket, by one node or by all of them."""

    level = models.CharField(max_length=8, choices=Level)
    start = models.DateTimeField()
    node = models.PositiveBigIntegerField()
    """0: all nodes."""
    covered_ms = models.PositiveBigIntegerField()
    """How much of the bucket is known; of all nodes: of the one that is known best."""
    data = models.BinaryField()

    class Meta:
        """Found by level and time."""

        constraints = (
            models.UniqueConstraint(fields=("level", "node", "start"), name="stats_rollup_once"),
        )
        indexes = (models.Index(fields=("level", "start"), name="stats_rollup_start"),)
        default_permissions = ("view",)
        verbose_name = "chart"

    def __str__(self) -> str:
        return f"{self.level} {self.start}, node {self.node}"


class Stale(models.Model):
    """A bucket that has to be added up anew, because something it is made of has changed."""

    level = models.CharField(max_length=8, choices=Level)
    start = models.DateTimeField()
    node = models.PositiveBigIntegerField()
    mark = models.BigIntegerField(default=0)
    """Written by whoever changed something, which also waits for who adds up."""

    class Meta:
        """One row for each bucket."""

        constraints = (
            models.UniqueConstraint(fields=("level", "start", "node"), name="stats_stale_once"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.level} {self.start}, node {self.node}"
