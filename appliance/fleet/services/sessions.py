"""Keep the live index: one row per session, written as the nodes report (ADR-0009)."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from django.db import connection as database
from django.db import transaction

from appliance.fleet.models import LiveSession
from appliance.fleet.search import address_key
from appliance.fleet.services import nodes
from appliance.lib.text import storable
from proxycore.contract.codec import Invalid, Problem
from proxycore.contract.messages import Sessions
from proxycore.contract.session import SessionBytes, SessionRecord

BATCH = 500
"""Rows per statement; Django takes fewer where the database takes fewer parameters (SQLite)."""

MAX_BYTES = 2**63 - 1
MAX_ID = 100
"""Longest id of a session: a boot id, a dot and a counter are far below."""

_TOLD = (
    "server",
    "protocol",
    "user",
    "client",
    "client_key",
    "tls",
    "client_port",
    "listen",
    "backend",
    "auth_session",
    "started_at",
    "bytes_to_front",
    "bytes_to_back",
)


def report(node_id: int, connection: str, frame: Sessions) -> bool:
    """Bring the index up to a node's report. Returns whether anything changed.

    A full report replaces the node's rows; both kinds may be repeated without harm.
    Raises Invalid for a record that no worker writes, Dismissed as ``nodes.check`` does.
    """
    rows = [_row(node_id, i, record) for i, record in enumerate(frame.opened)]
    with transaction.atomic():
        nodes.check(node_id, connection)
        changed = _write(rows)
        if frame.full:
            changed += _keep_only(node_id, {row.session for row in rows})
        changed += _count(node_id, frame.counted)
        changed += _close(node_id, [storable(session, MAX_ID) for session in frame.closed])
    return bool(changed)


def drop_sessions_of(node_ids: Iterable[int]) -> int:
    """Forget the sessions of nodes nobody has heard of for long; a full report brings them back."""
    return LiveSession.objects.filter(node__in=list(node_ids)).delete()[0]


def _write(rows: Sequence[LiveSession]) -> int:
    # the same session twice in one statement is an error in PostgreSQL; the last word counts
    unique = list({row.session: row for row in rows}.values())
    LiveSession.objects.bulk_create(
        unique,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=("node", "session"),
        update_fields=_TOLD,
    )
    return len(unique)


def _keep_only(node_id: int, sessions: set[str]) -> int:
    known = LiveSession.objects.filter(node_id=node_id).values_list("session", flat=True)
    return _close(node_id, [session for session in known if session not in sessions])


def _close(node_id: int, sessions: Sequence[str]) -> int:
    mine = LiveSession.objects.filter(node_id=node_id)
    return sum(
        mine.filter(session__in=sessions[start : start + BATCH]).delete()[0]
        for start in range(0, len(sessions), BATCH)
    )


def _count(node_id: int, counted: Sequence[SessionBytes]) -> int:
    """Write new byte counts: one prepared statement for all, where the ORM would need a CASE."""
    if not counted:
        return 0
    table = LiveSession._meta.db_table  # noqa: SLF001  (Django documents _meta as public)
    with database.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {table} SET bytes_to_front = %s, bytes_to_back = %s"  # noqa: S608  (our own table's name)
            " WHERE node_id = %s AND session = %s",
            [
                (
                    _octets(each.bytes_to_front),
                    _octets(each.bytes_to_back),
                    node_id,
                    storable(each.session, MAX_ID),
                )
                for each in counted
            ],
        )
    return len(counted)


def _row(node_id: int, index: int, record: SessionRecord) -> LiveSession:
    where = f"opened[{index}]"
    if not 0 <= record.client_port <= 65535:
        raise Invalid([Problem(f"{where}.client_port", "is not a port")])
    if not record.session or len(record.session) > MAX_ID:
        raise Invalid([Problem(f"{where}.session", f"must have 1 to {MAX_ID} characters")])
    try:
        started_at = datetime.fromtimestamp(record.started_at, UTC)
    except (ValueError, OverflowError, OSError):
        raise Invalid([Problem(f"{where}.started_at", "is not a time")]) from None
    return LiveSession(
        node_id=node_id,
        session=storable(record.session, MAX_ID),
        server=storable(record.server, 100),
        protocol=storable(record.protocol, 8),
        user=storable(record.user, 512),
        client=storable(record.client, 64),
        client_key=address_key(record.client),
        tls=storable(record.tls, 16),
        client_port=record.client_port,
        listen=storable(record.listen, 128),
        backend=storable(record.backend, 128),
        auth_session=storable(record.auth_session, 128),
        started_at=started_at,
        bytes_to_front=_octets(record.bytes_to_front),
        bytes_to_back=_octets(record.bytes_to_back),
    )


def _octets(value: int) -> int:
    return max(0, min(value, MAX_BYTES))
