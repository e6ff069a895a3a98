"""Tells people when a node is silent or behind, when none takes new clients, or runs a block."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.urls import reverse

from appliance.alerts import queries as open_alerts
from appliance.alerts import services as alerts
from appliance.alerts.registry import Kind
from appliance.fleet import queries
from appliance.fleet.choices import NodeState
from appliance.fleet.models import Node
from appliance.fleet.queries import Status
from appliance.publish import queries as publish
from appliance.publish.models import ConfigRevision
from appliance.servers.models import ServerBlock

KIND: Final = "node"
NOBODY: Final = "nodes.drained"
ALL: Final = "all nodes"
UNSERVED: Final = "block.unserved"

_HERE: Final = (NodeState.RUNNING, NodeState.BEHIND, NodeState.REFUSED)
_NAMED: Final = 5
_WRONG: Final = (NodeState.SILENT, NodeState.BEHIND, NodeState.REFUSED)


def watch_nodes(now: datetime) -> None:
    """Raise an alert for each node that has been so for a while, and clear those of all others."""
    patience = timedelta(seconds=settings.NODE_ALARM_S)
    current = publish.current()
    wrong = set()
    statuses = queries.statuses(now)
    for node, status in statuses:
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
        alerts.clear_alert(KIND, name, "It runs what is published.")
    _watch_drained(statuses)
    _watch_blocks(current, statuses)


def drained(statuses: Iterable[tuple[Node, Status]]) -> list[str]:
    """Give the nodes that were drained, where for that reason none takes new clients."""
    known = list(statuses)
    if any(status.state in _HERE and not node.is_to_drain for node, status in known):
        return []
    return [
        node.name
        for node, status in known
        if node.is_to_drain and status.state not in (NodeState.NEW, NodeState.REVOKED)
    ]


def _watch_drained(statuses: Iterable[tuple[Node, Status]]) -> None:
    names = drained(statuses)
    if not names:
        alerts.clear_alert(NOBODY, ALL, "A node takes new clients again.")
        return
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    text = (
        f"Drained: {', '.join(names[:_NAMED])}{more}; no other node is connected. Who is logged in"
        " stays, everybody else is refused a connection. Let a node take clients again on its page."
    )
    alerts.raise_alert(
        NOBODY, ALL, text, severity="critical", url=reverse("admin:fleet_node_changelist")
    )


def _watch_blocks(current: ConfigRevision | None, statuses: Iterable[tuple[Node, Status]]) -> None:
    """Tell of published server blocks whose groups have no node that could run them."""
    manned = {
        node.group_name
        for node, status in statuses
        if status.state not in (NodeState.NEW, NodeState.REVOKED)
    }
    unserved = {
        name: groups
        for name, groups in publish.groups_of_blocks(current)
        if groups and manned.isdisjoint(groups)
    }
    for name, groups in unserved.items():
        text = (
            f"Nobody serves server block {name}: no node is in {', '.join(groups)}. Put a node into"
            " a group of the block on the node's page, or let every node run the block."
        )
        url = reverse("admin:servers_nodegroup_changelist")
        alerts.raise_alert(UNSERVED, name, text, severity="critical", url=url)
    for name in open_alerts.open_about(UNSERVED) - set(unserved):
        alerts.clear_alert(
            UNSERVED, name, "A node can run it again, or it is not published any more."
        )


def _blocks() -> list[str]:
    return [*ServerBlock.objects.values_list("name", flat=True)]


def _names() -> list[str]:
    return [*Node.objects.filter(revoked_at=None).values_list("name", flat=True)]


KINDS: Final = (
    Kind(
        KIND,
        "A node is silent or behind",
        "It has not been heard for a while, or does not run the published revision. What it"
        " has, it goes on serving.",
        _names,
    ),
    Kind(
        NOBODY,
        "No node takes new clients",
        "Every node that is connected was drained. Who is logged in stays.",
    ),
    Kind(
        UNSERVED,
        "Nobody serves a server block",
        "It is published for groups of nodes that have no node.",
        _blocks,
    ),
)
