"""What the appliance itself knows of the fleet, for ``/metrics``."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from django.utils import timezone

from appliance.fleet import queries
from appliance.fleet.choices import NodeState
from appliance.fleet.models import LiveSession
from appliance.history import names as history
from appliance.history import queries as arrived
from appliance.publish import queries as publish
from appliance.stats.registry import Metric

Samples = Iterable[tuple[Mapping[str, str], float]]


def _nodes() -> Samples:
    states = Counter(status.state for _, status in queries.statuses(timezone.now()))
    return [({"state": state.value}, states[state]) for state in NodeState]


def _silence() -> Samples:
    now = timezone.now()
    return [
        ({"node": node.name}, (now - node.last_seen_at).total_seconds())
        for node, _ in queries.statuses(now)
        if node.last_seen_at is not None and node.revoked_at is None
    ]


def _sessions() -> Samples:
    return [({}, LiveSession.objects.count())]


def _revision() -> Samples:
    current = publish.current()
    return [({}, current.number if current is not None else 0)]


def _applied() -> Samples:
    nodes = queries.statuses(timezone.now())
    return [({"node": node.name}, node.applied_revision) for node, _ in nodes]


def _records(field: str, scale: float = 1.0) -> Callable[[], Samples]:
    def samples() -> Samples:
        names = queries.names()
        return [
            ({"node": history.name_of(one.node, names)}, getattr(one, field) * scale)
            for one in arrived.intake()
        ]

    return samples


METRICS: Final = (
    Metric("nodes", "Enrolled nodes, by state.", "gauge", _nodes),
    Metric("node_silence_seconds", "Time since the node was last heard.", "gauge", _silence),
    Metric("live_sessions", "Sessions on the live page.", "gauge", _sessions),
    Metric("published_revision", "Number of the published revision.", "gauge", _revision),
    Metric("applied_revision", "Number of the revision the node runs.", "gauge", _applied),
    Metric(
        "history_records_stored_total",
        "Records of ended sessions and failed logins that were stored, by node.",
        "counter",
        _records("stored"),
    ),
    Metric(
        "history_records_dropped_total",
        "Records a node had no room for while they waited for the appliance.",
        "counter",
        _records("dropped"),
    ),
    Metric(
        "history_records_unreadable_total",
        "What a node sent as a record and was none.",
        "counter",
        _records("unreadable"),
    ),
    Metric(
        "history_lag_seconds",
        "Between the end of a session and the arrival of its record, in the last batch.",
        "gauge",
        _records("lag_ms", 0.001),
    ),
)
