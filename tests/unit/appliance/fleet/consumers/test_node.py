"""The appliance's end of the control link, spoken to as a node speaks."""

import json
import time

import pytest
from channels.db import database_sync_to_async as in_database
from channels.layers import get_channel_layer

from appliance.fleet.choices import CommandState
from appliance.fleet.models import LiveSession, Node, NodeCommand
from appliance.fleet.services import commands, nodes
from appliance.lib.doorbell import NODES_GROUP
from appliance.routing import services as routing
from appliance.stats.models import NodeTotals
from proxycore.contract.messages import (
    Ack,
    Apply,
    CommandResult,
    Invalidate,
    Kick,
    Nack,
    Sessions,
    SettingProblem,
    Stats,
    to_frame,
)
from proxycore.contract.session import SessionBytes
from tests.unit.appliance.fleet.conftest import Publish
from tests.unit.appliance.fleet.wire import Link, heartbeat, hello, play, record

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("token", [None, "", "no-such-token", "ü"])
def test_a_handshake_without_a_good_token_is_refused(
    token: str | None, enrolled: tuple[Node, str]
) -> None:
    async def scene() -> None:
        link = Link(token)
        assert not await link.open()
        await link.close()

    play(scene)


def test_a_revoked_token_is_refused(enrolled: tuple[Node, str]) -> None:
    node, token = enrolled
    nodes.revoke(node)

    async def scene() -> None:
        assert not await Link(token).open()

    play(scene)


def test_a_node_is_known_by_what_it_says(enrolled: tuple[Node, str]) -> None:
    node, token = enrolled

    async def scene() -> None:
        link = Link(token)
        assert await link.open()
        await link.say(hello(version="2.5", hostname="edge.example.org"))
        await link.settle(sessions=3)
        await link.close()

    play(scene)
    node.refresh_from_db()
    assert (node.version, node.hostname, node.sessions) == ("2.5", "edge.example.org", 3)
    assert node.last_seen_at is not None


def test_a_node_that_runs_nothing_is_sent_the_revision(
    enrolled: tuple[Node, str], publish_port: Publish
) -> None:
    node, token = enrolled
    revision = publish_port(1143, secret="for-nodes-only")

    async def scene() -> None:
        link = Link(token)
        await link.open()
        await link.say(hello())
        apply = await link.hear()
        assert isinstance(apply, Apply)
        assert (apply.revision, apply.digest) == (revision.number, revision.digest)
        header = apply.snapshot["servers"][0]["auth_http"]["headers"][0]
        assert header["value"] == "for-nodes-only"
        await link.say(Ack(revision=apply.revision, digest=apply.digest))
        await link.settle(revision=apply.revision, digest=apply.digest)
        await link.close()

    play(scene)
    node.refresh_from_db()
    assert (node.applied_revision, node.applied_digest) == (revision.number, revision.digest)


def test_a_node_that_runs_the_revision_is_sent_nothing(
    enrolled: tuple[Node, str], publish_port: Publish
) -> None:
    revision = publish_port(1143)

    async def scene() -> None:
        link = Link(enrolled[1])
        await link.open()
        runs = {"revision": revision.number, "digest": revision.digest}
        await link.say(hello(**runs), heartbeat(**runs))
        assert await link.socket.receive_nothing(timeout=0.3)
        await link.close()

    play(scene)


def test_the_same_number_with_another_content_is_sent_again(
    enrolled: tuple[Node, str], publish_port: Publish
) -> None:
    revision = publish_port(1143)

    async def scene() -> None:
        link = Link(enrolled[1])
        await link.open()
        await link.say(hello(revision=revision.number, digest="of another history"))
        assert isinstance(await link.hear(), Apply)
        await link.close()

    play(scene)


def test_a_doorbell_brings_the_revision_at_once_and_a_second_one_nothing(
    enrolled: tuple[Node, str], publish_port: Publish
) -> None:
    async def scene() -> None:
        link = Link(enrolled[1])
        await link.open()
        await link.say(hello())
        await link.settle()
        revision = await in_database(publish_port)(1143)
        apply = await link.hear()
        assert isinstance(apply, Apply)
        assert apply.revision == revision.number
        again = {"type": "revision.published", "number": revision.number}
        await get_channel_layer().group_send(NODES_GROUP, again)
        await link.say(heartbeat())
        assert await link.socket.receive_nothing(timeout=0.3)
        await link.close()

    play(scene)


def test_a_lost_doorbell_is_mended_by_the_next_heartbeat(
    enrolled: tuple[Node, str], publish_port: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        link = Link(enrolled[1])
        await link.open()
        await link.say(hello())
        await link.settle()
        monkeypatch.setattr("appliance.lib.doorbell.ring", lambda *_: None)
        revision = await in_database(publish_port)(1143)
        assert await link.socket.receive_nothing(timeout=0.2)
        await link.say(heartbeat())
        apply = await link.hear()
        assert isinstance(apply, Apply)
        assert apply.revision == revision.number
        await link.close()

    play(scene)


def test_a_refused_revision_is_kept_with_its_problems_and_not_sent_again(
    enrolled: tuple[Node, str], publish_port: Publish
) -> None:
    node, token = enrolled
    revision = publish_port(143)
    problem = SettingProblem(path="servers[0].listens[0]", message="permission denied")

    async def scene() -> None:
        link = Link(token)
        await link.open()
        await link.say(hello())
        await link.hear()
        await link.say(Nack(revision=revision.number, problems=(problem,)), heartbeat())
        assert await link.socket.receive_nothing(timeout=0.3)
        await link.close()

    play(scene)
    node.refresh_from_db()
    assert node.refused_revision == revision.number
    assert node.problems == [{"path": "servers[0].listens[0]", "message": "permission denied"}]

    async def restarted() -> None:
        # a restarted node may be one that can
        link = Link(token)
        await link.open()
        await link.say(hello(boot_id="boot-2"))
        assert isinstance(await link.hear(), Apply)
        await link.close()

    play(restarted)
    node.refresh_from_db()
    assert node.refused_revision == 0
    assert node.problems == []


def test_a_changed_route_is_told(enrolled: tuple[Node, str]) -> None:
    async def scene() -> None:
        link = Link(enrolled[1])
        await link.open()
        await link.say(hello())
        generation = await in_database(routing.bump_generation)()
        told = await link.hear()
        assert told == Invalidate(generation=generation)
        await link.close()

    play(scene)


def test_sessions_are_listed_counted_and_closed(enrolled: tuple[Node, str]) -> None:
    node, token = enrolled

    async def scene() -> None:
        link = Link(token)
        await link.open()
        await link.say(
            hello(),
            Sessions(boot_id="boot-1", full=True, opened=(record("w1.1"), record("w1.2"))),
            Sessions(
                boot_id="boot-1",
                full=False,
                opened=(record("w1.3"),),
                counted=(SessionBytes(session="w1.2", bytes_to_front=10, bytes_to_back=20),),
                closed=("w1.1",),
            ),
        )
        await link.settle()
        await link.close()

    play(scene)
    rows = LiveSession.objects.filter(node=node).order_by("session")
    assert [(row.session, row.bytes_to_front, row.bytes_to_back) for row in rows] == [
        ("w1.2", 10, 20),
        ("w1.3", 0, 0),
    ]


def test_totals_are_kept(enrolled: tuple[Node, str]) -> None:
    node, token = enrolled

    async def scene() -> None:
        link = Link(token)
        await link.open()
        await link.say(hello(), Stats(boot_id="boot-1", seq=1, values={"logins{server=imap}": 7}))
        await link.settle()
        await link.close()

    play(scene)
    assert NodeTotals.objects.get(node=node.pk).values == {"logins{server=imap}": 7}


def test_a_kick_goes_to_the_node_and_its_answer_ends_the_command(
    enrolled: tuple[Node, str],
) -> None:
    _node, token = enrolled

    def kick() -> NodeCommand:
        return commands.kick_sessions([LiveSession.objects.get().pk], by=None)[0]

    async def scene() -> None:
        link = Link(token)
        await link.open()
        await link.say(hello(), Sessions(boot_id="boot-1", full=True, opened=(record("w1.1"),)))
        await link.settle()
        command = await in_database(kick)()
        assert await link.hear() == Kick(command=str(command.pk), sessions=("w1.1",))
        await link.say(CommandResult(command=str(command.pk), affected=1))
        await link.settle()
        await link.close()

    play(scene)
    command = NodeCommand.objects.get()
    assert (command.state, command.affected) == (CommandState.DONE, 1)
    assert not LiveSession.objects.exists()


def test_a_kick_sent_over_a_lost_connection_is_sent_again(enrolled: tuple[Node, str]) -> None:
    node, token = enrolled
    command = NodeCommand.objects.create(node=node, targets=["w1.1"])

    async def scene() -> None:
        for _ in range(2):
            link = Link(token)
            await link.open()
            await link.say(hello())
            assert await link.hear() == Kick(command=str(command.pk), sessions=("w1.1",))
            await link.close()

    play(scene)


def test_revoking_closes_the_connection_by_doorbell(enrolled: tuple[Node, str]) -> None:
    node, token = enrolled

    async def scene() -> None:
        link = Link(token)
        await link.open()
        await link.say(hello())
        await link.settle()
        began = time.monotonic()
        await in_database(nodes.revoke)(node)
        assert await link.closed_with() == 4403
        assert time.monotonic() - began < 1

    play(scene)


@pytest.mark.parametrize("greeted", [True, False])
def test_revoking_closes_a_mute_connection_in_time_though_the_doorbell_is_lost(
    greeted: bool, enrolled: tuple[Node, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    node, token = enrolled
    monkeypatch.setattr("appliance.lib.doorbell.ring", lambda *_: None)

    async def scene() -> None:
        link = Link(token)
        await link.open()
        if greeted:
            await link.say(hello())
            await link.settle()
        await in_database(nodes.revoke)(node)
        assert await link.closed_with(within_s=5) == 4403

    play(scene)


def test_a_void_token_cannot_greet_though_its_handshake_was_accepted(
    enrolled: tuple[Node, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    node, token = enrolled
    monkeypatch.setattr("appliance.lib.doorbell.ring", lambda *_: None)

    async def scene() -> None:
        link = Link(token)
        await link.open()
        await in_database(nodes.renew_token)(node)
        await link.say(hello())
        assert await link.closed_with() == 4403

    play(scene)


def test_a_second_connection_takes_over(enrolled: tuple[Node, str]) -> None:
    async def scene() -> None:
        first, second = Link(enrolled[1]), Link(enrolled[1])
        await first.open()
        await first.say(hello())
        await first.settle()
        await second.open()
        await second.say(hello())
        await second.settle()
        await first.say(Sessions(boot_id="boot-1", full=True, opened=(record("old"),)))
        assert await first.closed_with() == 4409
        await second.say(heartbeat())
        await second.settle()
        await second.close()

    play(scene)
    assert not LiveSession.objects.exists()


def test_another_link_version_is_refused_by_name(enrolled: tuple[Node, str]) -> None:
    async def scene() -> None:
        link = Link(enrolled[1])
        await link.open()
        await link.say(hello(link_version=99))
        assert await link.closed_with() == 4406

    play(scene)


INVALID_FRAMES = [
    "",
    "{",
    "[" * 100_000,
    "null",
    '{"type": "no such"}',
    '{"type": "heartbeat"}',
    '{"type": "apply", "revision": 1, "digest": "", "snapshot": {}}',
    '{"type": "stats", "boot_id": "b", "seq": NaN, "values": {}}',
    json.dumps({"type": "hello", "version": 1}),
    "9" * 10_000,
    json.dumps(to_frame(heartbeat(revision=-1))),
    json.dumps(to_frame(heartbeat(workers=2**40))),
    json.dumps(to_frame(heartbeat(generation=-5))),
    json.dumps(to_frame(Ack(revision=-1, digest=""))),
    json.dumps(to_frame(Nack(revision=-1, problems=()))),
    json.dumps(to_frame(hello(revision=-1))),
]


@pytest.mark.parametrize("frame", INVALID_FRAMES, ids=range(len(INVALID_FRAMES)))
@pytest.mark.parametrize("greeted", [True, False])
def test_an_invalid_frame_closes_with_its_code(
    greeted: bool, frame: str, enrolled: tuple[Node, str]
) -> None:
    async def scene() -> None:
        link = Link(enrolled[1])
        await link.open()
        if greeted:
            await link.say(hello())
            await link.settle()
        await link.socket.send_input({"type": "websocket.receive", "text": frame})
        assert await link.closed_with() == 4400

    play(scene)


def test_a_binary_frame_and_a_frame_before_the_greeting_are_invalid(
    enrolled: tuple[Node, str],
) -> None:
    async def scene() -> None:
        binary, hasty = Link(enrolled[1]), Link(enrolled[1])
        await binary.open()
        await binary.socket.send_to(bytes_data=b"{}")
        assert await binary.closed_with() == 4400
        await hasty.open()
        await hasty.say(heartbeat())
        assert await hasty.closed_with() == 4400

    play(scene)


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_port": -1},
        {"client_port": 70_000},
        {"started_at": 1e300},
        {"session": ""},
        {"session": "x" * 101},
    ],
)
def test_a_session_no_worker_writes_is_invalid(
    wrong: dict[str, object], enrolled: tuple[Node, str]
) -> None:
    async def scene() -> None:
        link = Link(enrolled[1])
        await link.open()
        bad = record(**wrong)
        await link.say(hello(), Sessions(boot_id="boot-1", full=True, opened=(bad,)))
        assert await link.closed_with() == 4400

    play(scene)
    assert not LiveSession.objects.exists()
