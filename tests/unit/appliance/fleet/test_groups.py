"""Groups of nodes: each is sent its own part, also when it moves, and nobody else's keys."""

from typing import Any

import pytest
from channels.db import database_sync_to_async as in_database
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from appliance.alerts.models import Alert
from appliance.audit.models import Entry
from appliance.fleet import alarms, common, live, queries, rollout
from appliance.fleet.choices import NodeState
from appliance.fleet.launcher import blocks as launched
from appliance.fleet.launcher.bootstrap import LOCAL_NODE
from appliance.fleet.models import EnrolmentCode, Node
from appliance.fleet.services import enrolment, groups, nodes, tickets
from appliance.publish import outlook, registry, verdicts
from appliance.publish import queries as published
from appliance.publish import services as publish
from appliance.publish.draft import build
from appliance.servers import services as servers
from appliance.servers.models import Listener, NodeGroup, ServerBlock
from proxycore.contract.messages import Ack, Apply, Check, Checked, SettingProblem, Tickets
from proxycore.contract.snapshot import from_plain
from tests.unit.appliance.fleet.wire import Link, hello, play

pytestmark = pytest.mark.django_db(transaction=True)

CANARY = "canary-of-a-group"


def block(name: str, port: int, *of: NodeGroup) -> ServerBlock:
    row = servers.save_block(
        ServerBlock(name=name, protocol="imap", auth_service="external", auth_http="192.0.2.1/x")
    )
    servers.choose_groups(row, of)
    servers.save_listener(Listener(block=row, port=port))
    row.auth_headers.create(name="X-Key", value=f"{CANARY}-{name}")
    return row


class Fleet:
    """Two groups with a block of their own at one port, one block for all, a node in each."""

    def __init__(self) -> None:
        self.dmz, self.inside = (
            servers.save_group(NodeGroup(name=name)) for name in ("dmz", "inside")
        )
        self.blocks = [
            block("outer", 2143, self.dmz),
            block("inner", 2143, self.inside),
            block("all", 2144),
        ]
        self.outer, self.outer_token = nodes.enrol("outer-1", self.dmz)
        self.inner, self.inner_token = nodes.enrol("inner-1", self.inside)
        self.plain, self.plain_token = nodes.enrol("plain-1")
        self.revision, _ = publish.publish()


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


async def connected(token: Any, **said: Any) -> Link:
    link = Link(token.reveal())
    await link.open()
    await link.say(hello(**said))
    return link


async def applied(link: Link) -> tuple[Apply, list[str]]:
    """Take an Apply as a node does, and acknowledge it."""
    told = await link.hear()
    assert isinstance(told, Apply), told
    snapshot = from_plain(told.snapshot)
    assert snapshot.digest() == told.digest
    await link.say(Ack(revision=told.revision, digest=told.digest))
    return told, [server.name for server in snapshot.servers]


def runs(told: Apply) -> dict[str, Any]:
    return {"revision": told.revision, "digest": told.digest}


def state(node: Node) -> NodeState:
    node = Node.objects.get(pk=node.pk)
    return queries.status_to(node, published.current(), timezone.now()).state


def test_each_node_is_sent_its_part_and_nothing_of_the_others(fleet: Fleet) -> None:
    async def scene() -> None:
        seen = {}
        for token in (fleet.outer_token, fleet.inner_token, fleet.plain_token):
            link = await connected(token)
            told, names = await applied(link)
            seen[tuple(names)] = told
            await link.settle(**runs(told))
            assert await link.socket.receive_nothing()
            await link.close()
        assert set(seen) == {("outer", "all"), ("inner", "all"), ("all",)}
        assert len({told.digest for told in seen.values()}) == 3
        assert {told.revision for told in seen.values()} == {1}
        outer = str(seen["outer", "all"].snapshot)
        assert f"{CANARY}-outer" in outer
        assert f"{CANARY}-inner" not in outer

    play(scene)
    assert {state(node) for node in (fleet.outer, fleet.inner, fleet.plain)} == {NodeState.RUNNING}
    assert published.rollout().label == "running"
    found = {(one["server"], *one["nodes"]) for one in live.listeners()}
    assert ("outer", "outer-1") in found
    assert ("inner", "inner-1") in found
    assert not any("inner-1" in one for one in found if one[0] == "outer")


def test_a_node_that_moves_is_sent_its_new_part_at_once(fleet: Fleet) -> None:
    async def scene() -> None:
        link = await connected(fleet.outer_token)
        first, _ = await applied(link)
        await link.settle(**runs(first))
        node = await Node.objects.aget(pk=fleet.outer.pk)
        node.group = fleet.inside
        await in_database(nodes.configure)(node)
        # no heartbeat between: the doorbell rang
        second, names = await applied(link)
        assert names == ["inner", "all"]
        assert (second.revision, second.digest == first.digest) == (1, False)
        assert f"{CANARY}-outer" not in str(second.snapshot)
        await link.settle(**runs(second))
        await link.close()

    play(scene)
    assert state(fleet.outer) is NodeState.RUNNING
    (entry,) = Entry.objects.filter(name="outer-1", action="changed")
    assert ["group", "dmz", "inside"] in [list(change) for change in entry.changes]


def test_a_node_that_runs_another_group_s_part_is_behind_and_mended(fleet: Fleet) -> None:
    part = fleet.revision.parts["inside"]

    async def scene() -> None:
        link = await connected(fleet.outer_token, revision=1, digest=part)
        _, names = await applied(link)
        assert names == ["outer", "all"]
        # it goes on saying the wrong thing: the heartbeat alone mends that, once it is time
        await link.settle(revision=1, digest=part)
        assert await in_database(state)(fleet.outer) is NodeState.BEHIND
        await link.close()
        again = await connected(fleet.outer_token, revision=1, digest=part)
        await applied(again)
        await again.close()

    play(scene)


def test_a_draft_is_checked_part_by_part_and_what_is_said_is_found(fleet: Fleet) -> None:
    fleet.blocks[0].timeout_ms = 5000
    servers.save_block(fleet.blocks[0])
    taken = SettingProblem(path="servers[0].listens[0]", message="taken")

    async def scene() -> None:
        link = await connected(fleet.inner_token)
        told, _ = await applied(link)
        await link.settle(**runs(told))
        await in_database(publish.ask_nodes)()
        asked = await link.hear()
        assert isinstance(asked, Check)
        part = from_plain(asked.snapshot)
        assert part.digest() == asked.digest
        assert [server.name for server in part.servers] == ["inner", "all"]
        await link.say(Checked(candidate=asked.candidate, digest=asked.digest, problems=(taken,)))
        await link.settle(**runs(told))
        await link.close()

    play(scene)
    now = build()
    said = verdicts.verdicts(now, rollout.destinations())
    (refused,) = said.of("refused")
    assert [str(one) for one in refused.problems] == [
        'server block "inner", listener *:2143: taken'
    ]
    found = outlook.outlook(published.pending(), registry.destinations())
    (group,) = found.groups
    assert group.effects is not None
    assert not group.effects  # the block that changes is not theirs
    assert list(found.idle.nodes) == []


def test_nodes_that_no_block_is_for_are_named_before_it_is_published(fleet: Fleet) -> None:
    servers.delete_blocks([fleet.blocks[0], fleet.blocks[2]])
    found = outlook.outlook(published.pending(), registry.destinations())
    assert [node.name for node in found.idle.nodes] == ["outer-1", "plain-1"]
    assert found.unserved == []
    nodes.delete(fleet.inner)
    found = outlook.outlook(published.pending(), registry.destinations())
    assert found.unserved == ["inner"]
    publish.publish()

    async def scene() -> None:
        link = await connected(fleet.outer_token)
        told, names = await applied(link)
        assert names == []
        await link.settle(**runs(told))
        await link.close()

    play(scene)
    assert state(fleet.outer) is NodeState.RUNNING


def test_ticket_keys_of_a_group_are_nobody_else_s(fleet: Fleet) -> None:
    tickets.rotate()
    given = {ring: common.tickets(ring) for ring in (0, fleet.dmz.pk, fleet.inside.pk)}
    keys = [key.reveal() for one in given.values() if one is not None for key in one.keys]
    assert len(set(keys)) == len(keys) == 6

    async def scene() -> None:
        link = await connected(
            fleet.outer_token, revision=1, digest=fleet.revision.digest_for("dmz")
        )
        told = await link.hear()
        assert isinstance(told, Tickets)
        assert told == given[fleet.dmz.pk]
        said = {"revision": 1, "digest": fleet.revision.digest_for("dmz"), "tickets": told.number}
        await link.settle(**said)
        assert await link.socket.receive_nothing()
        node = await Node.objects.aget(pk=fleet.outer.pk)
        node.group = None
        await in_database(nodes.configure)(node)
        await applied(link)
        assert await link.hear() == given[0]
        await link.close()

    play(scene)


def test_a_code_brings_a_node_into_its_group(fleet: Fleet, operator: User) -> None:
    _, code = enrolment.create("edge-7", 60, operator, fleet.dmz)
    node, _ = enrolment.redeem(code.reveal(), "192.0.2.1", timezone.now())
    assert node.group == fleet.dmz


def test_a_group_is_deleted_when_nobody_needs_it(fleet: Fleet, operator: User) -> None:
    enrolment.create("edge-7", 60, operator, fleet.dmz)
    with pytest.raises(ValidationError) as refused:
        groups.delete(fleet.dmz)
    assert refused.value.messages == [
        "Group dmz stays. These nodes are in it: outer-1.",
        "These server blocks are for it: outer.",
        "These enrolment codes are for it: edge-7.",
    ]
    nodes.delete(fleet.outer)
    servers.choose_groups(fleet.blocks[0], [fleet.inside])
    Listener.objects.filter(block=fleet.blocks[0]).update(port=2145)
    assert groups.uses(fleet.dmz)[1] == (
        "Revision 1, which is published, has server blocks for it: publish first."
    )
    publish.publish()
    enrolment.withdraw(EnrolmentCode.objects.get())
    groups.delete(fleet.dmz)
    assert [group.name for group in NodeGroup.objects.all()] == ["inside"]


PAGE = "/admin/servers/nodegroup/"


def test_the_pages_say_who_is_in_a_group_and_what_runs_there(
    fleet: Fleet, as_administrator: Client
) -> None:
    page = as_administrator.get(PAGE).text
    assert "on 0 of 1 nodes" in page
    page = as_administrator.get(f"{PAGE}{fleet.dmz.pk}/change/").text
    for said in ("outer-1", "has not connected yet", "*:2143", "every node"):
        assert said in page
    assert ">inner<" not in page
    page = as_administrator.get(f"{PAGE}{fleet.dmz.pk}/delete/").text
    assert "These nodes are in it: outer-1." in page
    as_administrator.post(f"{PAGE}{fleet.dmz.pk}/delete/", {"post": "yes"})
    assert NodeGroup.objects.filter(pk=fleet.dmz.pk).exists()
    answer = as_administrator.post(f"{PAGE}add/", {"name": "third", "note": "to be"})
    third = NodeGroup.objects.get(name="third")
    assert answer.status_code == 302
    answer = as_administrator.post(f"{PAGE}{third.pk}/delete/", {"post": "yes"})
    assert not NodeGroup.objects.filter(name="third").exists()


def test_groups_are_asked_for_where_there_are_any(as_administrator: Client, db: None) -> None:
    urls = ("/admin/fleet/node/add/", "/admin/fleet/enrolmentcode/add/")
    for url in urls:
        assert 'name="group"' not in as_administrator.get(url).text
    group = servers.save_group(NodeGroup(name="dmz"))
    for url in urls:
        assert 'name="group"' in as_administrator.get(url).text
    as_administrator.post(urls[0], {"name": "edge-1", "group": group.pk})
    assert Node.objects.get().group == group
    as_administrator.post(urls[1], {"name": "edge-2", "group": group.pk, "minutes": 5})
    assert EnrolmentCode.objects.get().group == group
    assert "dmz" in as_administrator.get(f"/admin/fleet/node/?group__id__exact={group.pk}").text


def test_that_nobody_serves_a_block_is_told_until_a_node_can(fleet: Fleet) -> None:
    now = timezone.now()

    def told() -> list[str]:
        alarms.watch_nodes(now)
        open_ones = Alert.objects.filter(kind=alarms.UNSERVED, cleared_at=None)
        return sorted(open_ones.values_list("about", flat=True))

    # who was enrolled and never came serves nothing
    assert told() == ["inner", "outer"]
    for node in (fleet.outer, fleet.inner):
        Node.objects.filter(pk=node.pk).update(last_seen_at=now, connected_at=now)
    assert told() == []
    Node.objects.filter(pk=fleet.outer.pk).update(group=None)
    assert told() == ["outer"]
    assert "no node is in dmz" in Alert.objects.get(about="outer", cleared_at=None).text
    fleet.blocks[0].enabled = False
    servers.save_block(fleet.blocks[0])
    publish.publish()
    assert told() == []


def test_the_local_node_s_doors_are_those_of_its_group(fleet: Fleet) -> None:
    number = fleet.revision.number

    def ports() -> list[int]:
        return [door.port for door in launched.doors_of(number)]

    assert ports() == [2144]
    nodes.enrol(LOCAL_NODE, fleet.dmz)
    assert ports() == [2143, 2144]
    assert [door.purpose for door in launched.doors()] == [
        "Server block outer",
        "Server block all",
    ]
