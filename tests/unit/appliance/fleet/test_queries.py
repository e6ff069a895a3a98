"""What is said of a node's state."""

from datetime import UTC, datetime, timedelta

import pytest

from appliance.fleet import queries
from appliance.fleet.choices import NodeState
from appliance.fleet.models import Node

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def node(**known: object) -> Node:
    facts = {"name": "edge", "last_seen_at": NOW, "applied_revision": 3, "applied_digest": "d3"}
    return Node(**{**facts, **known})


@pytest.mark.parametrize(
    ("known", "published", "state", "text"),
    [
        ({}, 3, NodeState.RUNNING, "running revision 3"),
        ({}, 4, NodeState.BEHIND, "running revision 3, 4 is published"),
        ({"applied_digest": "of another"}, 3, NodeState.BEHIND, "running revision 3, 3 is"),
        ({"applied_revision": 0, "applied_digest": ""}, 1, NodeState.BEHIND, "runs nothing, 1"),
        ({"applied_revision": 0}, 0, NodeState.RUNNING, "connected, nothing is published yet"),
        ({"refused_revision": 4}, 4, NodeState.REFUSED, "refused revision 4"),
        ({"refused_revision": 3}, 4, NodeState.BEHIND, "running revision 3, 4 is published"),
        ({"last_seen_at": None}, 3, NodeState.NEW, "has not connected yet"),
        (
            {"last_seen_at": NOW - timedelta(seconds=6)},
            3,
            NodeState.SILENT,
            "silent since 2026-01-02 03:03:59 UTC",
        ),
        ({"revoked_at": NOW}, 3, NodeState.REVOKED, "revoked 2026-01-02 03:04 UTC"),
    ],
)
def test_state_comes_from_acks_and_age(
    known: dict[str, object], published: int, state: NodeState, text: str
) -> None:
    status = queries.status(node(**known), published, NOW, f"d{published}" if published else "")
    assert status.state is state
    assert status.text.startswith(text)


def test_a_refusal_shows_its_problems() -> None:
    problem = {"path": "servers[0]", "message": "no"}
    status = queries.status(node(refused_revision=4, problems=[problem]), 4, NOW)
    assert status.problems == (problem,)
