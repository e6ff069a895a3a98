"""Read the groups of nodes: who is in one, how it stands, what it runs."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import QuerySet

from appliance.fleet import queries
from appliance.fleet.choices import NodeState
from appliance.fleet.models import Node
from appliance.publish.models import ConfigRevision
from appliance.servers.models import NodeGroup, ServerBlock

_RUNS = (NodeState.RUNNING, NodeState.DRAINING)

Members = Sequence[tuple[Node, queries.Status]]


def members(group: NodeGroup, current: ConfigRevision | None, now: datetime) -> Members:
    """Give the nodes of a group, each with how it stands to a revision."""
    nodes = Node.objects.filter(group=group).select_related("group")
    return [(node, queries.status_to(node, current, now)) for node in nodes]


def standing(members: Members) -> tuple[str, str]:
    """Give tone and words for how many of them run what is published."""
    admitted = [status.state for _, status in members if status.state is not NodeState.REVOKED]
    if not admitted:
        return "info", "no node"
    running = sum(state in _RUNS for state in admitted)
    if running == len(admitted):
        return "success", "running"
    tone = "danger" if NodeState.REFUSED in admitted else "warning"
    return tone, f"on {running} of {len(admitted)} nodes"


def blocks(group: NodeGroup | None) -> "QuerySet[ServerBlock]":
    """Give the server blocks that are for a group, as drafted; None: those for every node."""
    rows = ServerBlock.objects.filter(enabled=True).prefetch_related("listeners")
    return rows.filter(groups=group)
