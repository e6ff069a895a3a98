"""Disconnecting: commands to nodes, and what becomes of them."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from appliance.fleet import tasks
from appliance.fleet.choices import CommandState
from appliance.fleet.models import LiveSession, Node, NodeCommand
from appliance.fleet.services import commands, nodes, sessions
from proxycore.contract.messages import CommandResult, Sessions
from tests.unit.appliance.fleet.wire import hello, record

pytestmark = pytest.mark.django_db


def holding(name: str, *ids: str) -> Node:
    """Enrol a node that holds sessions."""
    node = nodes.greet(nodes.enrol(name)[0], name, hello(), timezone.now())
    opened = tuple(record(one, user=f"user of {one}") for one in ids)
    sessions.report(node.pk, name, Sessions(boot_id="b", full=True, opened=opened))
    return node


def every_session() -> list[int]:
    return list(LiveSession.objects.values_list("pk", flat=True))


def test_one_command_per_node_names_its_sessions(operator: User) -> None:
    first, second = holding("one", "a", "b"), holding("two", "c")
    commands.kick_sessions([*every_session(), 999_999], by=operator)
    assert {c.node: c.targets for c in NodeCommand.objects.all()} == {
        first: ["a", "b"],
        second: ["c"],
    }
    described = NodeCommand.objects.get(node=first)
    assert described.description == "user of a from 192.0.2.7 on imap and 1 more"
    assert described.created_by == operator


def test_a_session_is_asked_for_once(operator: User) -> None:
    holding("one", "a")
    assert commands.kick_sessions(every_session(), by=operator)
    assert not commands.kick_sessions(every_session(), by=operator)


def test_a_command_is_taken_once_per_connection() -> None:
    node = holding("one", "a")
    (command,) = commands.kick_sessions(every_session(), by=None)
    assert commands.take_pending(node.pk, timezone.now()) == [command]
    assert commands.take_pending(node.pk, timezone.now()) == []
    nodes.greet(node, "again", hello(), timezone.now())
    assert commands.take_pending(node.pk, timezone.now()) == [command]


def test_an_answer_ends_the_command_and_takes_the_rows_away() -> None:
    node = holding("one", "a")
    (command,) = commands.kick_sessions(every_session(), by=None)
    result = CommandResult(command=str(command.pk), affected=1)
    assert commands.finish(node.pk, result, timezone.now())
    assert not commands.finish(node.pk, result, timezone.now())
    assert every_session() == []


def test_a_failure_gives_the_row_back_to_the_operator() -> None:
    node = holding("one", "a")
    (command,) = commands.kick_sessions(every_session(), by=None)
    result = CommandResult(command=str(command.pk), affected=0, message="worker is gone")
    commands.finish(node.pk, result, timezone.now())
    command.refresh_from_db()
    assert (command.state, command.message) == (CommandState.FAILED, "worker is gone")
    assert LiveSession.objects.get().kick_requested_at is None


@pytest.mark.parametrize("name", ["", "no uuid", "\x00", "0" * 32])
def test_an_answer_to_nothing_is_ignored(name: str) -> None:
    node = holding("one")
    assert not commands.finish(node.pk, CommandResult(command=name, affected=1), timezone.now())


def test_a_node_cannot_answer_for_another() -> None:
    holding("one", "a")
    other = holding("two")
    (command,) = commands.kick_sessions(every_session(), by=None)
    result = CommandResult(command=str(command.pk), affected=1)
    assert not commands.finish(other.pk, result, timezone.now())
    assert len(every_session()) == 1


def test_the_periodic_task_gives_up_what_nobody_answered_and_forgets_the_silent() -> None:
    holding("one", "a")
    gone = holding("gone", "b")
    kicked = LiveSession.objects.get(session="a")
    (command,) = commands.kick_sessions([kicked.pk], by=None)
    long_ago = timezone.now() - timedelta(minutes=6)
    NodeCommand.objects.update(created_at=long_ago)
    Node.objects.filter(pk=gone.pk).update(last_seen_at=long_ago)
    old = NodeCommand.objects.create(node=gone, state=CommandState.DONE)
    NodeCommand.objects.filter(pk=old.pk).update(finished_at=timezone.now() - timedelta(days=31))
    for _ in range(2):
        tasks.tidy()
    command.refresh_from_db()
    assert (command.state, command.message) == (CommandState.FAILED, "The node did not answer.")
    row = LiveSession.objects.get()
    assert (row.session, row.kick_requested_at) == ("a", None)
    assert not NodeCommand.objects.filter(pk=old.pk).exists()
