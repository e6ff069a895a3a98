"""Disconnect many sessions, slowly enough for the mail servers their clients come back to.

Each session gets its turn when it is asked for, spread at random over the time that it takes; its
node's link hands out what is due with every heartbeat (ADR-0033). So the pace needs no clock of its
own, and what nobody hands out in time is given up.
"""

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection as database
from django.db import transaction
from django.db.models import Count, F
from django.utils import timezone

from appliance.audit import services as audit
from appliance.audit.choices import Action
from appliance.fleet import doorbells, live, search
from appliance.fleet.choices import CommandKind
from appliance.fleet.models import Disconnect, LiveSession, NodeCommand

PACES: Final = (5, 20, 100)
"""Sessions per second and mail server that may be asked for."""
USUAL_PACE: Final = 20

MOST_AT_ONCE: Final = 500
"""Sessions in one command, so that a node that was away does not end a crowd at once."""

GIVEN_UP_AFTER: Final = timedelta(seconds=60)
"""Past its turn for longer, a session is left alone: its node has not asked for it."""

KEPT_FOR: Final = timedelta(days=30)


class NothingToDisconnect(Exception):
    """Nothing was searched for, or nothing is found; the text says which."""


@transaction.atomic
def disconnect_matching(text: str, by: Any, *, per_second: int = USUAL_PACE) -> Disconnect:
    """Have all sessions disconnected that a search finds now; those that come later stay.

    by: the operator who asks. Whether he may is the caller's to check.
    per_second: most for each mail server. Raises NothingToDisconnect.
    """
    if not text.strip():
        raise NothingToDisconnect("Search for the sessions first; state:open finds all.")
    now = timezone.now()
    rows = live.matching(text, now).filter(kick_requested_at=None, kick_due_at=None)
    found = list(rows.values_list("pk", "backend"))
    if not found:
        raise NothingToDisconnect("No session matches any more.")
    job = Disconnect.objects.create(
        search=text[: search.MAX_CHARS], total=len(found), per_second=per_second, created_by=by
    )
    _schedule(job, _turns(found, now, per_second))
    audit.record(Action.DISCONNECTED, job, text=f"at most {per_second}/s for each mail server")
    doorbells.ring_for_sessions()
    return job


@transaction.atomic
def stop(primary_key: int) -> bool:
    """Leave alone whatever has not had its turn. Returns False when it was over."""
    job = Disconnect.objects.select_for_update().filter(pk=primary_key, finished_at=None).first()
    if job is None:
        return False
    left = LiveSession.objects.filter(disconnect=job, kick_due_at__isnull=False)
    Disconnect.objects.filter(pk=job.pk).update(
        left=F("left") + left.update(disconnect=None, kick_due_at=None)
    )
    audit.record(Action.CHANGED, job, text="stopped")
    doorbells.ring_for_sessions()
    return True


@transaction.atomic
def hand_out(node_id: int, now: datetime) -> None:
    """Turn what is due on a node into commands to it."""
    due = list(
        LiveSession.objects.select_for_update()
        .filter(node_id=node_id, kick_due_at__lte=now)
        .order_by("kick_due_at")[:MOST_AT_ONCE]
    )
    by_job: dict[int | None, list[LiveSession]] = defaultdict(list)
    for row in due:
        by_job[row.disconnect_id].append(row)
    NodeCommand.objects.bulk_create(
        NodeCommand(
            node_id=node_id,
            kind=CommandKind.KICK,
            targets=[row.session for row in rows],
            description=f"{len(rows)} sessions",
            disconnect_id=job,
        )
        for job, rows in by_job.items()
    )
    LiveSession.objects.filter(pk__in=[row.pk for row in due]).update(
        kick_requested_at=now, kick_due_at=None
    )


def note_failures(failed: Iterable[tuple[int | None, int]]) -> None:
    """Count sessions that are still there though their node was told, by mass disconnect."""
    for job, number in failed:
        if job is not None and number:
            Disconnect.objects.filter(pk=job).update(failed=F("failed") + number)


@transaction.atomic
def tidy(now: datetime) -> None:
    """Give up what nobody handed out, close what is over, forget what is old. Idempotent."""
    late = LiveSession.objects.filter(kick_due_at__lt=now - GIVEN_UP_AFTER)
    counts = list(late.order_by().values_list("disconnect").annotate(Count("pk")))
    note_failures(counts)
    late.update(disconnect=None, kick_due_at=None)
    Disconnect.objects.filter(finished_at=None, sessions=None).update(finished_at=now)
    Disconnect.objects.filter(finished_at__lt=now - KEPT_FOR).delete()


def _turns(
    found: list[tuple[int, str]], now: datetime, per_second: int
) -> Iterable[tuple[datetime, int]]:
    """Give each session its turn: for each mail server one after the other, in random order."""
    random.shuffle(found)
    waiting: dict[str, int] = defaultdict(int)
    for primary_key, backend in found:
        # within its share of time, so that nodes do not end theirs in step
        place = waiting[backend] + random.random()  # noqa: S311  (a spread, no secret)
        waiting[backend] += 1
        yield now + timedelta(seconds=place / per_second), primary_key


def _schedule(job: Disconnect, turns: Iterable[tuple[datetime, int]]) -> None:
    table = LiveSession._meta.db_table  # noqa: SLF001  (Django documents _meta as public)
    with database.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {table} SET disconnect_id = %s, kick_due_at = %s WHERE id = %s",  # noqa: S608  (our own table's name)
            [
                (job.pk, database.ops.adapt_datetimefield_value(at), primary_key)
                for at, primary_key in turns
            ],
        )
