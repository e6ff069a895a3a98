"""Mass disconnects: the pace, the turns, the end."""

from collections import Counter
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from appliance.audit.models import Entry
from appliance.fleet import live, tasks
from appliance.fleet.models import Disconnect, LiveSession, Node, NodeCommand
from appliance.fleet.services import commands, disconnects, nodes, sessions
from proxycore.contract.messages import CommandResult, Sessions
from tests.unit.appliance.fleet.wire import hello, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def node() -> Node:
    """A node with 40 sessions on two mail servers."""
    enrolled, _ = nodes.enrol("edge-1")
    node = nodes.greet(enrolled, "a-connection", hello(), timezone.now())
    opened = tuple(
        record(f"w1.{i}", user=f"u{i}", backend=f"198.51.100.{i % 2}:143") for i in range(40)
    )
    sessions.report(node.pk, "a-connection", Sessions(boot_id="b", full=True, opened=opened))
    return node


def gone(job: Disconnect, at: datetime) -> dict[str, int]:
    return next(one for one in live.progress(at) if one["id"] == job.pk)


def obey(node: Node, at: datetime, message: str = "") -> int:
    """Let the node do what it is told by then."""
    told = commands.take_pending(node.pk, at)
    for command in told:
        result = CommandResult(
            command=str(command.pk), affected=len(command.targets), message=message
        )
        assert commands.finish(node.pk, result, at)
    return sum(len(command.targets) for command in told)


def test_each_mail_server_loses_no_more_than_the_pace(node: Node, operator: User) -> None:
    job = disconnects.disconnect_matching("state:open", operator, per_second=5)
    began = job.created_at
    for second in range(1, 4):
        assert obey(node, began + timedelta(seconds=second)) in range(8, 13)
        remaining = Counter(LiveSession.objects.values_list("backend", flat=True))
        assert max(remaining.values()) - min(remaining.values()) <= 2
    obey(node, began + timedelta(seconds=6))
    assert not LiveSession.objects.exists()
    shown = gone(job, timezone.now())
    assert (shown["total"], shown["gone"], shown["failed"], shown["over"]) == (40, 40, 0, True)


def test_turns_are_spread_at_random_over_the_time(node: Node, operator: User) -> None:
    disconnects.disconnect_matching("198.51.100.1", operator, per_second=5)
    turns = sorted(
        row.kick_due_at.microsecond for row in LiveSession.objects.exclude(kick_due_at=None)
    )
    assert len(turns) == 20
    assert len(set(turns)) > 10


def test_it_is_in_the_audit_trail_and_parts_of_it_are_not_kept(node: Node, operator: User) -> None:
    job = disconnects.disconnect_matching("user:u1", operator)
    entry = Entry.objects.get(kind="fleet.disconnect")
    assert "11 sessions matching user:u1" in entry.name
    obey(node, timezone.now() + timedelta(seconds=30))
    assert not NodeCommand.objects.exists()
    tasks.tidy()
    job.refresh_from_db()
    assert job.finished_at is not None


def test_stopping_leaves_the_rest_alone(node: Node, operator: User) -> None:
    job = disconnects.disconnect_matching("state:open", operator, per_second=5)
    done = obey(node, job.created_at + timedelta(seconds=1))
    assert disconnects.stop(job.pk)
    assert obey(node, job.created_at + timedelta(minutes=1)) == 0
    assert LiveSession.objects.count() == 40 - done
    shown = gone(job, timezone.now())
    assert (shown["gone"], shown["left"], shown["over"]) == (done, 40 - done, True)
    tasks.tidy()
    assert not disconnects.stop(job.pk)


def test_what_a_node_does_not_do_is_counted_as_failed(node: Node, operator: User) -> None:
    job = disconnects.disconnect_matching("state:open", operator, per_second=100)
    obey(node, timezone.now() + timedelta(seconds=10), message="out of order")
    shown = gone(job, timezone.now())
    assert (shown["gone"], shown["failed"]) == (0, 40)
    assert LiveSession.objects.filter(kick_requested_at=None, kick_due_at=None).count() == 40


def test_a_node_that_is_away_too_long_ends_nothing_later(node: Node, operator: User) -> None:
    job = disconnects.disconnect_matching("state:open", operator, per_second=100)
    late = timezone.now() + disconnects.GIVEN_UP_AFTER + timedelta(seconds=5)
    disconnects.tidy(late)
    assert obey(node, late) == 0
    job.refresh_from_db()
    assert job.failed == 40


@pytest.mark.parametrize("text", ["", "  ", "nobody"])
def test_nothing_is_no_wish(text: str, node: Node, operator: User) -> None:
    with pytest.raises(disconnects.NothingToDisconnect):
        disconnects.disconnect_matching(text, operator)
    assert not Disconnect.objects.exists()


def test_one_that_waits_for_its_turn_can_be_disconnected_at_once(
    node: Node, operator: User
) -> None:
    disconnects.disconnect_matching("user=u7", operator, per_second=5)
    commands.kick_sessions(
        LiveSession.objects.filter(user="u7").values_list("pk", flat=True), operator
    )
    assert obey(node, timezone.now() + timedelta(seconds=30)) == 1
