"""Tells people when a node is silent, or does not run what is published."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.urls import reverse

from appliance.alerts import queries as open_alerts
from appliance.alerts import services as alerts
from appliance.fleet import queries
from appliance.fleet.choices import NodeState
from appliance.publish import queries as publish

KIND: Final = "node"

_WRONG: Final = (NodeState.SILENT, NodeState.BEHIND, NodeState.REFUSED)


def watch_nodes(now: datetime) -> None:
    """Raise an alert for each node that has been so for a while, and clear those of all others."""
    patience = timedelta(seconds=settings.NODE_ALARM_S)
    current = publish.current()
    wrong = set()
    for node, status in queries.statuses(now):
        since = node.last_seen_at
        if status.state in (NodeState.BEHIND, NodeState.REFUSED):
            # a node that has just come is given time to take what it missed
            begun = [at for at in (current and current.created_at, node.connected_at) if at]
            since = max(begun, default=None)
        if status.state not in _WRONG or since is None or now - since < patience:
            continue
        wrong.add(node.name)
        severity = "critical" if status.state is NodeState.SILENT else "warning"
        url = reverse("admin:fleet_node_change", args=(node.pk,))
        text = f"Node {node.name}: {status.text}."
        alerts.raise_alert(KIND, node.name, text, severity=severity, url=url)
    for name in open_alerts.open_about(KIND) - wrong:
        alerts.clear_alert(KIND, name, "It runs what is published, or is no node any more.")
