"""Codes by which a machine fetches the token of a node, once (ADR-0033)."""

import secrets
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from appliance.audit import services as audit
from appliance.audit.choices import Action
from appliance.fleet.models import EnrolmentCode, Node
from appliance.fleet.services import nodes
from appliance.lib.text import storable
from appliance.servers.models import NodeGroup
from proxycore.contract.secret import Secret

MINUTES: Final = 60
"""How long a code is good, unless an operator says otherwise."""
MOST_MINUTES: Final = 7 * 24 * 60

KEPT_FOR: Final = timedelta(days=30)

_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without what is mistaken for something else when it is typed: 5 bits each."""
_LETTERS: Final = 20
_GROUP: Final = 5


class Refused(Exception):
    """A code is not good: unknown, used, expired, or its node is there by now."""


@transaction.atomic
def create(
    name: str, minutes: int, by: Any, group: NodeGroup | None = None
) -> tuple[EnrolmentCode, Secret]:
    """Make a code for a node that is to be called ``name``. It cannot be had again.

    Raises ValidationError.
    """
    if Node.objects.filter(name=name).exists():
        raise ValidationError({"name": "There is a node of this name; give that a new token."})
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_LETTERS))
    code = Secret("-".join(letters[i : i + _GROUP] for i in range(0, _LETTERS, _GROUP)))
    row = EnrolmentCode(
        name=name,
        group=group,
        code_hash=_hash(code.reveal()),
        created_by=by,
        expires_at=timezone.now() + timedelta(minutes=minutes),
    )
    row.full_clean()
    row.save()
    where = f", for group {group}" if group is not None else ""
    audit.record(Action.ADDED, row, text=f"good for {minutes} minutes{where}")
    return row, code


@transaction.atomic
def withdraw(row: EnrolmentCode) -> None:
    """Make a code useless."""
    audit.record(Action.DELETED, row)
    row.delete()


def redeem(code: str, address: str, now: datetime) -> tuple[Node, Secret]:
    """Enrol the node of a code and give its token; the code is used up. Raises Refused."""
    try:
        with transaction.atomic():
            row = (
                EnrolmentCode.objects.select_for_update()
                .filter(code_hash=_hash(code), used_at=None, expires_at__gt=now)
                .first()
            )
            # the one who writes it first has it, also where rows are not locked (SQLite)
            if row is None or not EnrolmentCode.objects.filter(pk=row.pk, used_at=None).update(
                used_at=now, used_from=storable(address, 64)
            ):
                raise Refused("This code is unknown, used up or too old.")
            node, token = nodes.enrol(row.name, row.group)
            audit.record(Action.CHANGED, row, text=f"used from {address or 'this host'}")
            return node, token
    except IntegrityError:
        raise Refused("There is a node of this name by now.") from None


def forget(now: datetime) -> int:
    """Delete codes that have been of no use for long. Gives how many."""
    return EnrolmentCode.objects.filter(expires_at__lt=now - KEPT_FOR).delete()[0]


def _hash(code: str) -> str:
    plain = "".join(code.upper().split()).replace("-", "")
    return nodes.hash_token(plain)
