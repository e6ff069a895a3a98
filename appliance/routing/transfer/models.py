"""CSV files that were given, in pieces, and how far they are checked and written.

In the database and not on a disk, so that a worker on any machine can go on with them.
"""

from django.db import models

from appliance.lib.fields import EncryptedTextField
from appliance.routing.choices import ImportState


class ImportJob(models.Model):
    """A CSV file that was given, and how far it is. Lines are those with data."""

    kind = models.CharField(max_length=8)
    columns = models.JSONField(default=list)
    """What the first line names."""
    author = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(auto_now=True)
    """When somebody last worked on it; one that stands still is gone on with."""
    state = models.CharField(max_length=8, choices=ImportState, default=ImportState.TAKING)
    chunks = models.PositiveIntegerField(default=0)
    chunks_checked = models.PositiveIntegerField(default=0)
    chunks_written = models.PositiveIntegerField(default=0)
    lines = models.PositiveIntegerField(default=0)
    checked = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    """Lines that were looked at for writing."""
    new = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    bad = models.PositiveIntegerField(default=0)

    class Meta:
        """Newest first; shown on the import pages only."""

        ordering = ("-pk",)
        default_permissions = ()

    def __str__(self) -> str:
        return f"import {self.pk} of {self.kind}"

    @property
    def percent(self) -> int:
        """Say how far the present step is."""
        if self.state == ImportState.DONE:
            return 100
        reached = self.checked if self.state == ImportState.CHECKING else self.done
        return 100 * reached // max(1, self.lines)


class ImportChunk(models.Model):
    """Some lines of a file. Its text is emptied when it is written: hashes may be in it."""

    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="pieces")
    number = models.PositiveIntegerField()
    """From 1."""
    first_line = models.PositiveIntegerField()
    """Of the file, from 1."""
    lines = models.PositiveIntegerField()
    content = EncryptedTextField()
    bad = models.JSONField(default=list)
    """Lines that are left out: number, column, reason."""

    class Meta:
        """In the order of the file."""

        ordering = ("job", "number")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("job", "number"), name="routing_chunk_once"),
        )

    def __str__(self) -> str:
        return f"{self.number} of {self.job}"
