"""Everything that writes the history: what nodes report, and what is forgotten."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.urls import reverse

from appliance.alerts import queries as open_alerts
from appliance.alerts import services as alerts
from appliance.history import names
from appliance.history.models import Intake, LastLogin, SessionRecord
from appliance.history.reading import Unreadable, login_row, session_row, shown_address
from appliance.lib.text import storable
from proxycore.contract.messages import Records

ALERT: Final = "queue"

PER_TRANSACTION: Final = 250
"""Rows written in one go: some 10 ms, in which SQLite lets nobody else write."""

PER_DELETION: Final = 1_000
PRUNE_FOR_S: Final = 60.0
"""A task deletes for so long at most; what is left is the next one's."""

CALM_AFTER: Final = timedelta(minutes=10)
"""When a node has dropped nothing for so long, that is over."""

_MOST: Final = 2**63 - 1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch."""

    stored: int
    """Records that were new."""
    unreadable: int
    dropped: int
    """Records the node has dropped since its last batch."""


def ingest(node: int, batch: Records, now: datetime) -> Taken:
    """Store a batch of a node. May be repeated, and batches may come in any order."""
    rows, unreadable = _rows(node, batch, now)
    newest = max((row.ended_at for row in rows), default=now)
    stored = dropped = 0
    for start in range(0, max(1, len(rows)), PER_TRANSACTION):
        with transaction.atomic():
            # who comes first writes: a node's batches never run side by side
            intake = _intake(node, batch, now)
            intake.lag_ms = (now - newest) // timedelta(milliseconds=1)
            new = _store(node, rows[start : start + PER_TRANSACTION])
            dropped += _count(intake, batch, new, unreadable if not start else 0, now)
        stored += new
    if dropped:
        _warn(node, intake)
    return Taken(stored, unreadable, dropped)


def _rows(node: int, batch: Records, now: datetime) -> tuple[list[SessionRecord], int]:
    found: dict[tuple[str, int], SessionRecord] = {}
    unreadable = 0
    readers: tuple[tuple[Callable[..., SessionRecord], Sequence[Mapping[str, Any]]], ...] = (
        (session_row, batch.sessions),
        (login_row, batch.logins),
    )
    for read, records in readers:
        for plain in records:
            try:
                row = read(node, plain, now)
            except Unreadable as fault:
                if not unreadable:
                    log.warning("node %d sent what is no record: %s", node, fault)
                unreadable += 1
                continue
            found[row.session, row.attempt] = row
    return list(found.values()), unreadable


def _intake(node: int, batch: Records, now: datetime) -> Intake:
    Intake.objects.bulk_create(
        [Intake(node=node, boot_id=storable(batch.boot_id, 64), received_at=now)],
        ignore_conflicts=True,
    )
    return Intake.objects.select_for_update().get(pk=node)


def _store(node: int, rows: list[SessionRecord]) -> int:
    """Write rows that are not there yet, and the last logins among them; give how many."""
    sessions = [row.session for row in rows]
    known = set(
        SessionRecord.objects.filter(session__in=sessions, node=node).values_list(
            "session", "attempt"
        )
    )
    new = [row for row in rows if (row.session, row.attempt) not in known]
    _insert(new)
    _note_logins(new)
    return len(new)


def _insert(rows: list[SessionRecord]) -> None:
    """Write rows by one prepared statement: half the time of bulk_create, with these columns."""
    meta = SessionRecord._meta  # noqa: SLF001  (documented)
    fields = [field for field in meta.concrete_fields if not field.primary_key]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    values = [
        [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
        for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {quote(meta.db_table)} ({columns}) VALUES ({places})"  # noqa: S608  (our own)
            " ON CONFLICT DO NOTHING",
            values,
        )


def _note_logins(rows: list[SessionRecord]) -> None:
    latest: dict[str, tuple[datetime, SessionRecord]] = {}
    for row in rows:
        if row.relay_ms is None or not row.account:
            continue
        at = row.ended_at - timedelta(milliseconds=min(row.relay_ms, row.total_ms))
        if row.account not in latest or latest[row.account][0] < at:
            latest[row.account] = (at, row)
    if not latest:
        return
    table = connection.ops.quote_name(LastLogin._meta.db_table)  # noqa: SLF001  (documented)
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        # in order: two that write the same accounts must not wait for each other
        cursor.executemany(
            f"INSERT INTO {table} (account, at, address, protocol, backend)"  # noqa: S608  (our own)
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (account) DO UPDATE SET at = excluded.at,"
            " address = excluded.address, protocol = excluded.protocol, backend = excluded.backend"
            f" WHERE excluded.at > {table}.at",
            [
                (account, adapt(at), shown_address(row.address), row.protocol, row.backend)
                for account, (at, row) in sorted(latest.items())
            ],
        )


def _count(intake: Intake, batch: Records, stored: int, unreadable: int, now: datetime) -> int:
    boot_id = storable(batch.boot_id, 64)
    if intake.boot_id != boot_id:
        intake.boot_id, intake.boot_dropped = boot_id, 0
    told = min(max(batch.dropped, 0), _MOST)
    dropped = max(0, told - intake.boot_dropped)
    if dropped:
        intake.boot_dropped, intake.dropped_at = told, now
        intake.dropped = min(intake.dropped + dropped, _MOST)
    intake.stored += stored
    intake.unreadable += unreadable
    intake.received_at = now
    intake.save()
    return dropped


def _warn(node: int, intake: Intake) -> None:
    alerts.raise_alert(
        ALERT,
        names.name_of(node),
        f"The node has dropped {intake.dropped} records of sessions since it is known: they end"
        " faster than they are stored, or it was cut off for long. The history has gaps; mail is"
        " not concerned.",
        url=reverse("admin:history_sessionrecord_changelist"),
    )


def calm(now: datetime) -> None:
    """Take back what was said of nodes that drop nothing any more."""
    known = names.all_names()
    dropping = Intake.objects.filter(dropped_at__gte=now - CALM_AFTER)
    wrong = {names.name_of(intake.node, known) for intake in dropping}
    for about in open_alerts.open_about(ALERT) - wrong:
        alerts.clear_alert(ALERT, about, "Nothing is dropped any more.")


def prune(now: datetime) -> int:
    """Forget what is older than the policy says, for a minute at most. Gives how many rows.

    Short transactions: nobody who stores or logs in waits for it.
    """
    until = monotonic() + PRUNE_FOR_S
    total = 0
    for old in _old(now):
        while monotonic() < until:
            with transaction.atomic():
                picked = SessionRecord.objects.filter(old).order_by("ended_at").values("pk")
                keys = [row["pk"] for row in picked[:PER_DELETION]]
                SessionRecord.objects.filter(pk__in=keys).delete()
            total += len(keys)
            if len(keys) < PER_DELETION:
                break
    return total


def _old(now: datetime) -> Iterator[Q]:
    yield Q(ended_at__lt=now - timedelta(days=settings.HISTORY_DAYS))
    # port scans, and load balancers that look whether we are there
    yield Q(account="", ended_at__lt=now - timedelta(days=settings.HISTORY_VISITS_DAYS))


def forget_node(node: int) -> None:
    """Drop what is counted of a node that is deleted; its sessions have been, and stay."""
    Intake.objects.filter(node=node).delete()
