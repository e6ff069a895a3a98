"""What nodes are sent beside the configuration: session ticket keys, answers for authorities."""

import hashlib
import json
from collections.abc import Sequence

from appliance.acme import queries as acme
from appliance.fleet.addresses import parse
from appliance.fleet.models import TicketKey
from appliance.lib.fields import Unreadable
from proxycore.contract.messages import Challenges, Tickets


def ticket_number() -> int:
    """Give the number of the keys that nodes should have; 0 before there are any."""
    return TicketKey.objects.values_list("pk", flat=True).first() or 0


def tickets() -> Tickets | None:
    """Give the keys with their number, for the control link only; None before there are any."""
    rows = list(TicketKey.objects.all())
    if len(rows) < 2:
        return None
    if any(isinstance(row.key, Unreadable) for row in rows):
        # nodes keep what they have until others are made
        return None
    following, current, *former = rows
    keys = tuple(row.key for row in (current, *former, following))
    return Tickets(number=following.pk, keys=keys)


def challenges(listen: Sequence[str]) -> Challenges:
    """Give what a node answers authorities on these addresses; nothing without any."""
    if not listen:
        return Challenges(digest="", listen=(), answers={})
    answers = dict(acme.pending_answers())
    text = json.dumps([list(listen), answers], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Challenges(digest=digest, listen=tuple(map(parse, listen)), answers=answers)
