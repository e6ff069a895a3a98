"""A draft is sent to be checked, until the node has said what it thinks of it."""

import pytest
from channels.db import database_sync_to_async as in_database

from appliance.fleet import rollout
from appliance.fleet.models import Node
from appliance.publish import services as publish
from proxycore.contract.messages import Check, Checked, SettingProblem
from tests.unit.appliance.fleet.conftest import Publish
from tests.unit.appliance.fleet.wire import Link, hello, play

pytestmark = pytest.mark.django_db(transaction=True)

TAKEN = SettingProblem(path="servers[0].listens[0]", message="taken")


async def _greeted(token: str, **said: object) -> Link:
    link = Link(token)
    await link.open()
    await link.say(hello(**said))
    return link


def test_a_draft_is_asked_about_and_the_answer_is_written_down(
    enrolled: tuple[Node, str], publish_port: Publish
) -> None:
    _, token = enrolled
    revision = publish_port(1143, secret="for-nodes-only")
    runs = {"revision": revision.number, "digest": revision.digest}

    async def scene() -> None:
        link = await _greeted(token, **runs)
        await link.settle(**runs)
        candidate = await in_database(publish.ask_nodes)()
        asked = await link.hear()
        assert isinstance(asked, Check)
        assert (asked.candidate, asked.digest) == (candidate.pk, candidate.digest)
        header = asked.snapshot["servers"][0]["auth_http"]["headers"][0]
        assert header["value"] == "for-nodes-only"
        # not again with each heartbeat
        await link.settle(**runs)
        assert await link.socket.receive_nothing()
        await link.say(
            Checked(
                candidate=asked.candidate, digest=asked.digest, problems=(TAKEN,), warnings=(TAKEN,)
            )
        )
        await link.settle(**runs)
        await link.close()

    play(scene)
    (found,) = rollout.destinations()
    assert found.answer is not None
    assert [one.path for one in found.answer.problems] == [TAKEN.path]
    assert [one.message for one in found.answer.warnings] == ["taken"]


def test_a_node_that_connects_later_is_asked_and_one_that_has_answered_is_not(
    enrolled: tuple[Node, str], publish_port: Publish
) -> None:
    _, token = enrolled
    revision = publish_port(1143)
    runs = {"revision": revision.number, "digest": revision.digest}
    candidate = publish.ask_nodes()

    async def scene() -> None:
        link = await _greeted(token, **runs)
        asked = await link.hear()
        assert isinstance(asked, Check)
        await link.close()
        # the answer was lost with its connection
        link = await _greeted(token, **runs)
        assert isinstance(await link.hear(), Check)
        await link.say(Checked(candidate=candidate.pk, digest=candidate.digest))
        await link.settle(**runs)
        await link.close()
        link = await _greeted(token, **runs)
        await link.settle(**runs)
        assert await link.socket.receive_nothing()
        await link.close()
        # another program may find something else
        link = await _greeted(token, **runs, boot_id="boot-2")
        assert isinstance(await link.hear(), Check)
        await link.close()

    play(scene)
