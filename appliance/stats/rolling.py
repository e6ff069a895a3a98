"""Roll-ups: seconds into minutes, minutes into hours, hours into days (ADR-0032).

A bucket that something has been added to is marked (``Stale``) and is added up anew from all its
parts, so it does not matter how often, in which order and after which crash that is done.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models import Min

from appliance.stats.levels import ABOVE, BELOW, LENGTH, ORDER, Level, floor, kept, parts_kept
from appliance.stats.models import RollUp, Sample, Stale
from appliance.stats.numbers import Numbers, unpack
from appliance.stats.services import mark_stale

ALL_NODES: Final = 0

MOST_AT_ONCE: Final = 5_000
"""Buckets added up in one run; the next one goes on."""

SETTLE: Final = timedelta(seconds=5)
"""A minute is added up when it has been over for so long: the last report of it comes then."""

_MARK: Final = -1


def roll_up(now: datetime) -> int:
    """Add up what has changed; returns how many buckets that were. Idempotent."""
    done = 0
    for level in ORDER:
        open_until = now - LENGTH[level] - SETTLE if level is Level.MINUTE else now
        for nodes in ({"node__gt": ALL_NODES}, {"node": ALL_NODES}):
            stale = Stale.objects.filter(level=level, start__lte=open_until, **nodes)
            for pk in list(stale.order_by("start").values_list("pk", flat=True)[:MOST_AT_ONCE]):
                done += _add_up(pk)
    return done


@transaction.atomic
def _add_up(pk: int) -> bool:
    locked = Stale.objects.select_for_update(skip_locked=connection.features.has_select_for_update)
    stale = locked.filter(pk=pk).first()
    if stale is None:
        return False
    level, start, node = Level(stale.level), stale.start, stale.node
    numbers, covered_ms = _beside(level, start) if node == ALL_NODES else _of(level, start, node)
    RollUp.objects.update_or_create(
        level=level,
        start=start,
        node=node,
        defaults={"covered_ms": covered_ms, "data": numbers.pack()},
    )
    if node != ALL_NODES:
        above = ABOVE.get(level)
        changed = [(level, start, ALL_NODES)]
        if above is not None:
            changed.append((above, floor(above, start), node))
        mark_stale(changed, _MARK)
    stale.delete()
    return True


def _of(level: Level, start: datetime, node: int) -> tuple[Numbers, int]:
    """Add up one node's bucket: the buckets below it, and what was told too late for these."""
    numbers, covered_ms = Numbers(), 0
    samples = Sample.objects.filter(level=level, start=start, node=node).order_by("at", "pk")
    parts = list(samples.values_list("covered_ms", "data"))
    below = BELOW.get(level)
    if below is not None:
        end = start + LENGTH[level]
        rows = RollUp.objects.filter(level=below, node=node, start__gte=start, start__lt=end)
        parts += rows.order_by("start").values_list("covered_ms", "data")
    for part_ms, data in parts:
        numbers.add(unpack(data))
        covered_ms += part_ms
    return numbers, covered_ms


def _beside(level: Level, start: datetime) -> tuple[Numbers, int]:
    """Add up the nodes of one bucket."""
    numbers, covered_ms = Numbers(), 0
    rows = RollUp.objects.filter(level=level, start=start, node__gt=ALL_NODES).order_by("node")
    for part_ms, data in rows.values_list("covered_ms", "data"):
        numbers.add_beside(unpack(data))
        covered_ms = max(covered_ms, part_ms)
    return numbers, covered_ms


def prune(now: datetime) -> int:
    """Forget what has been kept for as long as it should be; returns how many rows.

    Nothing goes that a bucket yet to be added up is made of.
    """
    pruned, until = 0, now
    for level in ORDER:
        oldest = Stale.objects.filter(level=level).aggregate(oldest=Min("start"))["oldest"]
        # a bucket below that is added up makes the one above it be added up, too
        until = min(until, oldest or now)
        parts = floor(level, min(until, now - parts_kept(level)))
        pruned += Sample.objects.filter(level=level, start__lt=parts).delete()[0]
        below = BELOW.get(level)
        if below is not None:
            pruned += RollUp.objects.filter(level=below, start__lt=parts).delete()[0]
    ended = now - kept(Level.DAY)
    return pruned + RollUp.objects.filter(level=Level.DAY, start__lt=ended).delete()[0]
