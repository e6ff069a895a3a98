"""What nodes are sent beside the configuration: session ticket keys, answers for authorities."""

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from appliance.acme import queries as acme
from appliance.fleet.addresses import parse
from appliance.fleet.models import TicketKey
from appliance.lib.fields import Unreadable
from proxycore.contract.messages import Challenges, Tickets
from proxycore.contract.secret import Secret

_RINGS: Final = 2**20
"""More than there will ever be groups: the number of keys says whose they are, too."""


def ticket_number() -> int:
    """Give the number of the keys that nodes in no group should have; 0 before there are any.

    A group's is so much more as its primary key is.
    """
    return _RINGS * (TicketKey.objects.values_list("pk", flat=True).first() or 0)


def tickets(ring: int = 0) -> Tickets | None:
    """Give a group's keys with their number, for the control link only; None before there are any.

    ring: primary key of the group; 0 for nodes that are in none. Nobody who has the keys of one can
    tell those of another (ADR-0037).
    """
    rows = list(TicketKey.objects.all())
    if len(rows) < 2:
        return None
    if any(isinstance(row.key, Unreadable) for row in rows):
        # nodes keep what they have until others are made
        return None
    following, current, *former = rows
    keys = tuple(_derived(row.key, ring) for row in (current, *former, following))
    return Tickets(number=_RINGS * following.pk + ring, keys=keys)


def _derived(key: Secret, ring: int) -> Secret:
    octets = base64.b64decode(key.reveal())
    made = HKDFExpand(SHA256(), len(octets), f"postroad session tickets {ring}".encode())
    return Secret(base64.b64encode(made.derive(octets)).decode())


def challenges(listen: Sequence[str]) -> Challenges:
    """Give what a node answers authorities on these addresses; nothing without any."""
    if not listen:
        return Challenges(digest="", listen=(), answers={})
    answers = dict(acme.pending_answers())
    text = json.dumps([list(listen), answers], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Challenges(digest=digest, listen=tuple(map(parse, listen)), answers=answers)
