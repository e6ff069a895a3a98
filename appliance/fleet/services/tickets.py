"""Make and rotate the session ticket keys that all nodes have (ADR-0028).

Three are in force: the next one, which every node has before it is used; the one that encrypts; the
one before, whose tickets are still taken. A rotation makes a new next one and moves the others on.
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from appliance.fleet import doorbells
from appliance.fleet.models import TicketKey
from appliance.lib.fields import Unreadable

PERIOD: Final = timedelta(hours=1)
"""A ticket is good for the rest of the period it was made in, and for the next."""

KEPT: Final = 3
_NEEDED: Final = 2
KEY_BYTES: Final = 80


def rotate_if_due(now: datetime) -> bool:
    """Rotate when the newest key is a period old, or keys are missing or unreadable."""
    if not _is_due(list(TicketKey.objects.all()), now):
        return False
    with transaction.atomic():
        # whoever else came here waits, and then finds that it is done
        rows = list(TicketKey.objects.select_for_update())
        if not _is_due(rows, now):
            return False
        lost = [row.pk for row in rows if isinstance(row.key, Unreadable)]
        TicketKey.objects.filter(pk__in=lost).delete()
        rotate()
    return True


def _is_due(rows: Sequence[TicketKey], now: datetime) -> bool:
    if not rows or rows[0].created_at <= now - PERIOD:
        return True
    return any(isinstance(row.key, Unreadable) for row in rows)


@transaction.atomic
def rotate() -> None:
    """Bring in a new key; the one that encrypted until now only decrypts from now on."""
    missing = max(1, _NEEDED - TicketKey.objects.count())
    for _ in range(missing):
        TicketKey.objects.create(key=_new_key())
    kept = list(TicketKey.objects.values_list("pk", flat=True)[:KEPT])
    TicketKey.objects.exclude(pk__in=kept).delete()
    doorbells.ring_for_tickets()


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode("ascii")
