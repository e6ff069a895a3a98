"""The audit trail: rows that are written once (ADR-0029)."""

from typing import Any, NoReturn

from django.db import models

from appliance.audit.choices import Action, ActorKind


class AppendOnly(Exception):
    """Somebody wanted to change what is written down."""


class EntryQuerySet(models.QuerySet["Entry"]):
    """Entries are read, and forgotten when they are old (``services.forget``)."""

    def update(self, **_: Any) -> NoReturn:
        """Refuse."""
        raise AppendOnly("an entry of the audit trail is not changed")

    def delete(self) -> NoReturn:
        """Refuse."""
        raise AppendOnly("an entry of the audit trail is not deleted")


class Entry(models.Model):
    """One thing that somebody did. No foreign keys: it outlives what it is about."""

    at = models.DateTimeField("when", db_index=True)
    actor_kind = models.CharField(max_length=8, choices=ActorKind)
    actor = models.CharField("who", max_length=150, db_index=True)
    """Name of the member of staff, of the command or of the task."""
    address = models.GenericIPAddressField("from", null=True)
    action = models.CharField(max_length=12, choices=Action, db_index=True)
    kind = models.CharField(max_length=100, default="")
    """Label of the model, for instance ``routing.route``; empty: about no object."""
    key = models.CharField(max_length=64, default="")
    """The object's primary key."""
    name = models.CharField("object", max_length=300, default="")
    """What the object was called."""
    owner_kind = models.CharField(max_length=100, default="")
    owner_key = models.CharField(max_length=64, default="")
    """What the object is a part of: a listener of its server block."""
    changes = models.JSONField(default=list)
    """``[field, before, after]`` each; of a secret only that it changed."""
    text = models.CharField("note", max_length=500, default="")

    objects = EntryQuerySet.as_manager()

    class Meta:
        """Newest first; nobody may add, change or delete any."""

        ordering = ("-pk",)
        verbose_name = "entry"
        verbose_name_plural = "audit trail"
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=("kind", "key"), name="audit_object"),
            models.Index(fields=("owner_kind", "owner_key"), name="audit_owner"),
        )

    def __str__(self) -> str:
        said = f"{self.get_action_display()}: {self.name}" if self.name else self.text
        return f"{self.actor} {said or self.get_action_display()}"

    def save(self, *args: Any, **options: Any) -> None:
        """Write a new entry. Raises AppendOnly for one that is written already."""
        if not self._state.adding:
            raise AppendOnly("an entry of the audit trail is not changed")
        super().save(*args, **options)

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse."""
        raise AppendOnly("an entry of the audit trail is not deleted")
