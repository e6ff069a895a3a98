"""Take in what the nodes report."""

from datetime import datetime
from itertools import islice

from django.db import transaction

from appliance.lib.text import storable
from appliance.stats.models import NodeTotals
from proxycore.contract.messages import Stats
from proxycore.contract.stats import parse_series

MAX_SERIES = 20_000
"""Most series kept of one node: about 300 server blocks with every series there is."""


def ingest(node: int, report: Stats, now: datetime) -> bool:
    """Keep a report of a node. Returns False for one that is older than what is known.

    Series this appliance does not know (a node of a later version) are left out.
    """
    if report.seq < 0:
        return False
    known = ((name, value) for name, value in report.values.items() if _is_known(name, value))
    values = dict(islice(known, MAX_SERIES))
    with transaction.atomic():
        row, created = NodeTotals.objects.select_for_update().get_or_create(
            node=node,
            boot_id=storable(report.boot_id, 64),
            defaults={
                "seq": report.seq,
                "values": values,
                "received_at": now,
            },
        )
        if created:
            return True
        if report.seq <= row.seq:
            return False
        row.seq, row.values, row.received_at = report.seq, values, now
        row.save(update_fields=("seq", "values", "received_at"))
    return True


def forget(node: int) -> None:
    """Drop the totals of a node that is deleted."""
    NodeTotals.objects.filter(node=node).delete()


def _is_known(name: str, value: int) -> bool:
    try:
        stat, labels = parse_series(name)
    except (KeyError, ValueError):
        return False
    # what cannot be printed may not be storable either (NUL, in PostgreSQL)
    return tuple(labels) == stat.labels and value >= 0 and name.isprintable()
