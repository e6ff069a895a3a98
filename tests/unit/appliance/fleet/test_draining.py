"""What a node shall do, what it says of itself, and what is shown of that."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from appliance.audit.models import Entry
from appliance.fleet import queries
from appliance.fleet.choices import NodeState
from appliance.fleet.models import Node
from appliance.fleet.services import nodes
from proxycore.contract.messages import Drain, Heartbeat
from tests.unit.appliance.fleet.wire import Link, heartbeat, hello, play, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


def hear(node: Node, **said: object) -> Node:
    return nodes.hear(node.pk, "c", heartbeat(**said), timezone.now())


@pytest.fixture
def node(enrolled: tuple[Node, str]) -> Node:
    return nodes.greet(enrolled[0], "c", hello(), timezone.now())


def test_a_node_is_told_until_it_does_so(enrolled: tuple[Node, str]) -> None:
    node, token = enrolled

    async def scene() -> None:
        from channels.db import database_sync_to_async as in_database

        link = Link(token)
        assert await link.open()
        await link.say(hello())
        await in_database(nodes.drain)(node, wanted=True)
        assert await link.hear() == Drain(is_wanted=True)
        await link.settle(is_draining=True)
        await link.close()
        again = Link(token)
        assert await again.open()
        # it was started anew and has forgotten
        await again.say(hello(boot_id="boot-2"))
        assert await again.hear() == Drain(is_wanted=True)
        await again.settle(is_draining=True)
        await in_database(nodes.drain)(node, wanted=False)
        assert await again.hear() == Drain(is_wanted=False)
        await again.close()

    play(scene)


def test_what_remains_is_said(node: Node) -> None:
    nodes.drain(node, wanted=True)
    for said, text in (
        ({"is_draining": False, "sessions": 2}, "asked to take no new clients"),
        ({"is_draining": True, "sessions": 2}, "takes no new clients, 2 sessions remain"),
        ({"is_draining": True, "sessions": 1}, "takes no new clients, 1 session remain"),
        ({"is_draining": True}, "takes no new clients, nothing remains"),
    ):
        status = queries.status(hear(node, **said), 0, timezone.now())
        assert (status.state, status.text.rpartition(",")[0]) == (NodeState.DRAINING, text)
    nodes.drain(node, wanted=False)
    status = queries.status(hear(node, is_draining=True), 0, timezone.now())
    assert status.text.startswith("opens its listeners again")
    status = queries.status(hear(node, is_draining=False), 0, timezone.now())
    assert status.state is NodeState.RUNNING


def test_it_is_written_down_once(node: Node) -> None:
    nodes.drain(node, wanted=True)
    nodes.drain(node, wanted=True)
    (entry,) = Entry.objects.filter(kind="fleet.node", key=str(node.pk), action="changed")
    assert entry.changes == [["takes new clients", "yes", "no"]]


@pytest.mark.parametrize(
    ("off_s", "shown"),
    [(0.4, "right"), (3.2, "3.2 s ahead"), (-7200.0, "7200.0 s behind")],
)
def test_a_clock_is_compared_with_ours(off_s: float, shown: str, node: Node) -> None:
    now = timezone.now()
    said: Heartbeat = heartbeat(clock=now.timestamp() + off_s, load=1.25)
    heard = nodes.hear(node.pk, "c", said, now)
    assert queries.clock_text(heard.clock_skew_ms) == shown
    assert Node.objects.get().load == 1.25


@pytest.mark.parametrize("nonsense", [{"clock": 1e300, "load": 1e300}, {"clock": -1.0, "load": -1}])
def test_a_node_that_says_nonsense_says_nothing(nonsense: dict[str, float], node: Node) -> None:
    hear(node, **nonsense)
    known = Node.objects.get()
    assert (known.clock_skew_ms, known.load) == (None, None)


def test_when_it_was_heard_is_said_in_words() -> None:
    now = timezone.now()
    for seconds, text in (
        (1, "just now"),
        (40, "40 s ago"),
        (600, "10 min ago"),
        (9e4, "25 h ago"),
    ):
        assert queries.ago(now - timedelta(seconds=seconds), now) == text
    assert queries.ago(None, now) == "never"


def test_only_who_may_change_nodes_drains_them(node: Node, operator: User, watcher: User) -> None:
    page = reverse("admin:fleet_node_drain", args=(node.pk,))
    assert signed_in(watcher).post(page).status_code == 403
    assert not Node.objects.get().is_to_drain
    assert b"Drain edge-1?" in signed_in(operator).get(page).content
    signed_in(operator).post(page)
    assert Node.objects.get().is_to_drain
    signed_in(operator).post(page)
    assert not Node.objects.get().is_to_drain
