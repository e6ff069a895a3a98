"""One worker at a time: whoever takes a row has it for a while, and loses it by not coming back.

A worker that was killed leaves its row held; when the lease has run out another continues. One
that was only slow finds its row taken, and what it brings is dropped.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from django.db.models import Model, Q

LEASE: Final = timedelta(minutes=3)
"""Longer than any step: each request ends after ca.TIMEOUT_S, each record after its solver's."""


def take(model: type[Model], pk: int, now: datetime) -> str | None:
    """Take a row whose time has come; gives the token to store with, or None."""
    token = str(uuid4())
    rows: Any = model._default_manager  # noqa: SLF001  (Django's documented interface)
    free = Q(held_until=None) | Q(held_until__lte=now)
    taken = rows.filter(free, pk=pk, next_at__lte=now).update(held_by=token, held_until=now + LEASE)
    return token if taken else None


def is_held(row: Any, token: str) -> bool:
    """Tell, within a transaction, whether the row is still ours; it stays so until its end."""
    rows = type(row)._default_manager.select_for_update()  # noqa: SLF001  (as above)
    return bool(rows.filter(pk=row.pk, held_by=token).values_list("pk", flat=True))
