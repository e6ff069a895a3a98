"""The latest totals of each node."""

from django.db import models


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
    started_at = models.DateTimeField(auto_now_add=True)
    received_at = models.DateTimeField()

    class Meta:
        """One row per node and boot."""

        constraints = (
            models.UniqueConstraint(fields=("node", "boot_id"), name="stats_totals_once_per_boot"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"node {self.node}, boot {self.boot_id}"
