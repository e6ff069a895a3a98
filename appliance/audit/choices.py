"""What can have happened, and who can have done it."""

from django.db.models import TextChoices


class Action(TextChoices):
    """What happened."""

    ADDED = "added", "added"
    CHANGED = "changed", "changed"
    DELETED = "deleted", "deleted"
    PUBLISHED = "published", "published"
    LOADED = "loaded", "loaded into the draft"
    IMPORTED = "imported", "imported"
    EXPORTED = "exported", "exported"
    DISCONNECTED = "disconnected", "disconnected"
    KEYS_ROTATED = "keys", "keys rotated"
    SIGNED_IN = "in", "signed in"
    SIGNED_OUT = "out", "signed out"
    SIGN_IN_FAILED = "failed", "sign-in failed"
    LOCKED_OUT = "locked", "locked out"
    UNLOCKED = "unlocked", "unlocked"
    FORGOTTEN = "forgotten", "old entries forgotten"


class ActorKind(TextChoices):
    """Who did it."""

    STAFF = "staff", "staff"
    COMMAND = "command", "command"
    TASK = "task", "background work"
    SYSTEM = "system", "system"
    STRANGER = "stranger", "nobody signed in"
