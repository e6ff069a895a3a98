"""What the fleet adds to ``/metrics`` of what arrives of its nodes' records."""

import pytest

from appliance.fleet import metrics
from appliance.fleet.models import Node
from appliance.fleet.services import nodes
from appliance.history import services as history
from appliance.stats.registry import Metric
from tests.unit.appliance.history.wire import NOW, batch, session


def _samples(name: str) -> list[tuple[dict[str, str], float]]:
    (found,) = [metric for metric in metrics.METRICS if metric.name == name]
    assert isinstance(found, Metric)
    return [(dict(labels), value) for labels, value in found.samples()]


@pytest.mark.django_db
def test_what_arrived_of_a_node_and_what_it_dropped_is_measured(
    enrolled: tuple[Node, str],
) -> None:
    node, _ = enrolled
    history.ingest(node.pk, batch(session(1), session(2), {"no": "record"}, dropped=4), NOW)
    labels = {"node": "edge-1"}
    assert _samples("history_records_stored_total") == [(labels, 2)]
    assert _samples("history_records_dropped_total") == [(labels, 4)]
    assert _samples("history_records_unreadable_total") == [(labels, 1)]
    assert _samples("history_lag_seconds") == [(labels, 0)]
    nodes.delete(node)
    assert _samples("history_records_stored_total") == []
