"""How the active revision fares on the nodes, for the Publish page."""

from typing import Final, Literal

from django.urls import reverse
from django.utils import timezone

from appliance.fleet import problems, queries
from appliance.fleet.choices import NodeState
from appliance.publish.registry import Answer, Destination, StatusLine
from proxycore.contract.codec import Problem

_TONES: Final[dict[NodeState, Literal["success", "warning", "danger", "info"]]] = {
    NodeState.RUNNING: "success",
    NodeState.BEHIND: "warning",
    NodeState.REFUSED: "danger",
    NodeState.DRAINING: "warning",
    NodeState.SILENT: "danger",
    NodeState.NEW: "info",
}

_STATES: Final[dict[NodeState, Literal["running", "waiting", "refused", "away"]]] = {
    NodeState.RUNNING: "running",
    NodeState.BEHIND: "waiting",
    NodeState.REFUSED: "refused",
    NodeState.DRAINING: "running",
    NodeState.SILENT: "away",
    NodeState.NEW: "away",
}


def status_lines(number: int) -> list[StatusLine]:
    """Give a line per node that is not revoked."""
    return [
        StatusLine(
            subject=node.name,
            tone=_TONES[status.state],
            text=status.text,
            details=[
                str(each) for each in problems.locate(number, status.problems, node.group_name)
            ],
            url=reverse("admin:fleet_node_change", args=(node.pk,)),
            state=_STATES[status.state],
        )
        for node, status in queries.statuses(timezone.now())
        if status.state is not NodeState.REVOKED
    ]


def destinations() -> list[Destination]:
    """Give every node that is not revoked, with what it runs."""
    return [
        Destination(
            name=node.name,
            text=status.text,
            url=reverse("admin:fleet_node_change", args=(node.pk,)),
            is_connected=_STATES[status.state] != "away",
            revision=node.applied_revision,
            digest=node.applied_digest,
            group=node.group_name,
            answer=Answer(
                node.checked_candidate,
                [Problem(**each) for each in node.check_problems],
                [Problem(**each) for each in node.check_warnings],
            ),
        )
        for node, status in queries.statuses(timezone.now())
        if status.state is not NodeState.REVOKED
    ]
