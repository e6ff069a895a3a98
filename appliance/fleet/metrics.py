"""What the appliance itself knows of the fleet, for ``/metrics``."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from django.utils import timezone

from appliance.fleet import queries
from appliance.fleet.choices import NodeState
from appliance.fleet.models import LiveSession
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


METRICS: Final = (
    Metric("nodes", "Enrolled nodes, by state.", "gauge", _nodes),
    Metric("node_silence_seconds", "Time since the node was last heard.", "gauge", _silence),
    Metric("live_sessions", "Sessions on the live page.", "gauge", _sessions),
    Metric("published_revision", "Number of the published revision.", "gauge", _revision),
    Metric("applied_revision", "Number of the revision the node runs.", "gauge", _applied),
)
