"""Sessions that have not logged in: keep for a moment what nodes say of them, and end some.

Nothing of it is in the database: it is asked for while somebody looks, and soon forgotten
(ADR-0038).
"""

from datetime import datetime, timedelta
from typing import Any, Final

from django.core.cache import caches
from django.utils import timezone

from appliance.fleet import queries
from appliance.fleet.models import Node
from appliance.fleet.services import commands, nodes
from appliance.lib.text import storable
from proxycore.contract.codec import Invalid, Problem
from proxycore.contract.messages import MOST_ADDRESSES, MOST_WAITING, Waiting
from proxycore.contract.session import Standing, WaitingSession

KEPT_S: Final = 15
"""How long an answer is good for; one comes every few seconds while somebody looks."""

_MOST: Final = 2**31 - 1
_MOST_AGE_S: Final = 10**8


def report(node_id: int, connection: str, frame: Waiting) -> None:
    """Keep what a node says. Raises Invalid, and Dismissed as ``nodes.check`` does."""
    if len(frame.sessions) > MOST_WAITING or len(frame.by_address) > MOST_ADDRESSES:
        raise Invalid([Problem("sessions", "are more than were asked for")])
    nodes.check(node_id, connection)
    now = timezone.now()
    told = {
        "heard_at": now.timestamp(),
        "total": _count(frame.total),
        "by_standing": {
            standing.value: _count(frame.by_standing.get(standing.value, 0))
            for standing in Standing
        },
        "by_address": {
            storable(address, 64): _count(count) for address, count in frame.by_address.items()
        },
        "sessions": [_row(node_id, session, now) for session in frame.sessions],
        "mute": _count(frame.mute),
    }
    caches["shared"].set(_key(node_id), told, KEPT_S)


def answers(node_ids: list[int]) -> dict[int, dict[str, Any]]:
    """Give what nodes said last, by node; those that have not answered lately are left out."""
    keys = {_key(node_id): node_id for node_id in node_ids}
    found = caches["shared"].get_many(keys)
    return {keys[key]: told for key, told in found.items()}


def disconnect(node_id: int, session: str, by: Any) -> bool:
    """Have one session disconnected; False when nobody has said lately that it is there.

    by: the operator who asks. Whether he may is the caller's to check.
    """
    told = answers([node_id]).get(node_id)
    row = (
        next((one for one in told["sessions"] if one["session"] == session), None) if told else None
    )
    if row is None:
        return False
    who = f"{row['user'] or 'somebody'} from {row['client']} on {row['block']}, before login"
    return bool(commands.kick_waiting([node_id], session, who, by))


def turn_away(address: str, by: Any, now: datetime) -> int:
    """Have all sessions before login of an address disconnected; gives how many nodes are told.

    address: as nodes count it, and as one of them has said lately. by: as above.
    """
    heard = Node.objects.filter(revoked_at=None, last_seen_at__gte=now - queries.SILENT_AFTER)
    listed = list(heard.values_list("pk", flat=True))
    if not any(address in told["by_address"] for told in answers(listed).values()):
        return 0
    target = f"{commands.WAITING_FROM}{address}"
    return commands.kick_waiting(listed, target, f"all from {address} before login", by)


def _key(node_id: int) -> str:
    return f"fleet-waiting-{node_id}"


def _row(node_id: int, session: WaitingSession, now: datetime) -> dict[str, Any]:
    age = timedelta(seconds=max(0.0, min(session.age_s, _MOST_AGE_S)))
    return {
        "id": f"{node_id}/{storable(session.session, 100)}",
        "session": storable(session.session, 100),
        "node_id": node_id,
        "user": storable(session.user, 512),
        "protocol": storable(session.protocol, 8),
        "tls": storable(session.tls, 16),
        "client": storable(session.client, 64),
        "client_port": session.client_port,
        "block": storable(session.server, 100),
        "listen": storable(session.listen, 128),
        "backend": storable(session.backend, 128),
        "standing": session.standing.value,
        "started_at": (now - age).timestamp(),
    }


def _count(value: int) -> int:
    return max(0, min(value, _MOST))
