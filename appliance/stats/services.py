"""Take in what the nodes report."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice

from django.db import transaction

from appliance.lib.text import storable
from appliance.stats.levels import LENGTH, Level, spread
from appliance.stats.models import NodeTotals, Sample, Stale
from appliance.stats.numbers import Totals, counted_between, joined
from proxycore.contract.messages import Stats
from proxycore.contract.stats import HISTOGRAM_SIZE, split_series

MAX_SERIES = 20_000
"""Most series kept of one node: about 300 server blocks with every series there is."""

_MOST = 2**63 - 1
_MOST_S = 10 * 366 * 86_400.0


def ingest(node: int, report: Stats, now: datetime) -> bool:
    """Keep a report of a node, and what was counted since the one before.

    Returns False for one that is older than what is known: its counts are known already. Series
    this appliance does not know (a node of a later version) are left out.
    """
    if report.seq < 0:
        return False
    told = _readable(report)
    at = now - timedelta(seconds=min(max(0.0, report.age_s), _MOST_S))
    with transaction.atomic():
        row, is_new = NodeTotals.objects.select_for_update().get_or_create(
            node=node,
            boot_id=storable(report.boot_id, 64),
            defaults={"seq": report.seq, "received_at": at},
        )
        if is_new:
            since = at - timedelta(seconds=min(max(0.0, report.uptime_s), _MOST_S))
        elif report.seq <= row.seq:
            return False
        else:
            since, at = row.received_at, max(at, row.received_at)
        known = Totals(row.values, row.histograms)
        after = joined(known, told)
        row.seq, row.received_at = report.seq, at
        row.values, row.histograms = dict(after.values), dict(after.histograms)
        row.save(update_fields=("seq", "values", "histograms", "received_at"))
        cuts = spread(since, at, now)
        shares = counted_between(known, after).shares([length_ms for _, _, length_ms in cuts])
        ends = [start + LENGTH[level] for level, start, _ in cuts[:-1]]
        Sample.objects.bulk_create(
            Sample(
                node=node,
                boot_id=row.boot_id,
                seq=report.seq,
                level=level,
                start=start,
                at=end,
                covered_ms=length_ms,
                data=share.pack(),
            )
            for (level, start, length_ms), end, share in zip(cuts, [*ends, at], shares, strict=True)
        )
        mark_stale(((level, start, node) for level, start, _ in cuts), report.seq)
    return True


def mark_stale(buckets: Iterable[tuple[Level, datetime, int]], mark: int) -> None:
    """Have buckets added up anew. Part of the transaction that changes what they are made of.

    The row is written although it may be there: who adds the bucket up holds it until that is done.
    """
    Stale.objects.bulk_create(
        [Stale(level=level, start=start, node=node, mark=mark) for level, start, node in buckets],
        update_conflicts=True,
        unique_fields=("level", "start", "node"),
        update_fields=("mark",),
    )


def forget(node: int) -> None:
    """Drop the totals of a node that is deleted. What it did stays in the charts."""
    NodeTotals.objects.filter(node=node).delete()


def _readable(report: Stats) -> Totals:
    known = ((name, value) for name, value in report.values.items() if _is_known(name, value))
    rows = ((name, row) for name, row in report.histograms.items() if _is_histogram(name, row))
    return Totals(dict(islice(known, MAX_SERIES)), dict(islice(rows, MAX_SERIES)))


def _is_known(name: str, value: int) -> bool:
    try:
        stat, _ = split_series(name)
    except (KeyError, ValueError):
        return False
    # what cannot be printed may not be storable either (NUL, in PostgreSQL)
    return not stat.histogram and value >= 0 and name.isprintable()


def _is_histogram(name: str, row: object) -> bool:
    try:
        stat, _ = split_series(name)
    except (KeyError, ValueError):
        return False
    return (
        stat.histogram
        and name.isprintable()
        and isinstance(row, list)
        and len(row) == HISTOGRAM_SIZE
        and all(type(number) is int and 0 <= number <= _MOST for number in row)
    )
