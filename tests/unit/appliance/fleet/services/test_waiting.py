"""What nodes say of sessions before login is kept for a moment, and ends some of them."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.utils import timezone

from appliance.audit.models import Entry
from appliance.fleet.models import Node, NodeCommand
from appliance.fleet.services import commands, nodes, waiting
from proxycore.contract.codec import Invalid
from proxycore.contract.messages import MOST_ADDRESSES, CommandResult, Kick
from tests.unit.appliance.fleet.wire import hello, waiter, waiting_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    caches["shared"].clear()
    yield
    caches["shared"].clear()


@pytest.fixture
def node(enrolled: tuple[Node, str]) -> Node:
    """A connected node."""
    return nodes.greet(enrolled[0], "a-connection", hello(), timezone.now())


def told(node: Node, *sessions: Any, **said: Any) -> dict[str, Any]:
    """Report, and give what is known then."""
    waiting.report(node.pk, "a-connection", waiting_of(*sessions, **said))
    return waiting.answers([node.pk])[node.pk]


def test_an_answer_is_kept_with_times_in_our_clock(node: Node) -> None:
    before = timezone.now().timestamp()
    known = told(node, waiter("w1.1", age_s=10.0, user="alice"))
    (row,) = known["sessions"]
    assert (row["session"], row["user"], row["standing"]) == ("w1.1", "alice", "identifying")
    assert 0 <= row["started_at"] + 10 - before < 5
    assert (known["total"], known["by_address"]) == (1, {"192.0.2.7": 1})
    assert known["by_standing"]["identifying"] == 1


def test_a_node_that_did_not_answer_is_not_among_the_answers(node: Node) -> None:
    other, _ = nodes.enrol("edge-2")
    told(node)
    assert list(waiting.answers([node.pk, other.pk])) == [node.pk]


def test_only_the_connection_that_speaks_for_the_node_is_believed(node: Node) -> None:
    with pytest.raises(nodes.Dismissed):
        waiting.report(node.pk, "another", waiting_of())
    assert waiting.answers([node.pk]) == {}


def test_an_answer_beyond_all_bounds_is_refused(node: Node) -> None:
    many = {f"192.0.2.{i}": 1 for i in range(MOST_ADDRESSES + 1)}
    with pytest.raises(Invalid):
        told(node, by_address=many)


def test_nonsense_of_a_node_is_bounded(node: Node) -> None:
    session = waiter("w1.1", age_s=-5e30, user="a\x00b" * 900)
    known = told(node, session, total=-1, by_standing={"identifying": 10**30, "odd": 1})
    assert known["total"] == 0
    assert known["by_standing"]["identifying"] < 2**31
    assert "odd" not in known["by_standing"]
    assert len(known["sessions"][0]["user"]) <= 512
    assert told(node, waiter("w1.1", age_s=5e30))["sessions"][0]["started_at"] > -(10**9)


def test_one_is_disconnected_in_the_operators_name(node: Node, operator: User) -> None:
    told(node, waiter("w1.1", user="alice"))
    assert waiting.disconnect(node.pk, "w1.1", operator)
    command = NodeCommand.objects.get()
    assert commands.order(command) == Kick(command=str(command.pk), sessions=("w1.1",))
    assert (command.created_by, command.node) == (operator, node)
    assert command.description == "alice from 192.0.2.7 on imap, before login"
    assert Entry.objects.filter(action="disconnected").count() == 1


def test_a_session_nobody_spoke_of_is_not_disconnected(node: Node, operator: User) -> None:
    told(node, waiter("w1.1"))
    assert not waiting.disconnect(node.pk, "w1.2", operator)
    assert not waiting.disconnect(node.pk + 1, "w1.1", operator)
    assert not NodeCommand.objects.exists()


def test_an_address_is_turned_away_at_every_node_that_is_heard(node: Node, operator: User) -> None:
    now = timezone.now()
    other = nodes.greet(nodes.enrol("edge-2")[0], "b", hello(), now)
    nodes.enrol("never-seen")
    told(node, waiter("w1.1"))
    assert waiting.turn_away("192.0.2.7", operator, now) == 2
    told_to = {command.node: command for command in NodeCommand.objects.all()}
    assert set(told_to) == {node, other}
    command = told_to[other]
    assert commands.order(command) == Kick(
        command=str(command.pk), sessions=(), waiting_from="192.0.2.7"
    )
    assert command.description == "all from 192.0.2.7 before login"


@pytest.mark.parametrize("address", ["192.0.2.8", "", "192.0.2.0/24", "w1.1"])
def test_only_an_address_that_nodes_told_of_is_turned_away(
    node: Node, operator: User, address: str
) -> None:
    told(node, waiter("w1.1"))
    assert waiting.turn_away(address, operator, timezone.now()) == 0
    assert not NodeCommand.objects.exists()


def test_how_many_were_turned_away_is_written_down(node: Node, operator: User) -> None:
    told(node, waiter("w1.1"))
    waiting.turn_away("192.0.2.7", operator, timezone.now())
    command = NodeCommand.objects.get()
    result = CommandResult(command=str(command.pk), affected=4321)
    assert commands.finish(node.pk, result, timezone.now())
    command.refresh_from_db()
    assert (command.state, command.affected) == ("done", 4321)
