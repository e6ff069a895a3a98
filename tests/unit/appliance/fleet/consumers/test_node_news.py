"""What a node is told of single accounts, and how its refusals and warnings come and go."""

import pytest
from channels.db import database_sync_to_async as in_database
from django.utils import timezone

from appliance.fleet import queries
from appliance.fleet.choices import NodeState
from appliance.fleet.models import Node
from appliance.routing import services as routing
from appliance.routing.models import Change, Generation
from proxycore.contract.messages import Ack, Apply, Invalidate, Nack, SettingProblem
from tests.unit.appliance.fleet.conftest import Publish
from tests.unit.appliance.fleet.wire import Link, heartbeat, hello, play

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_change_of_one_account_is_told_by_its_login(enrolled: tuple[Node, str]) -> None:
    async def scene() -> None:
        link = Link(enrolled[1])
        await link.open()
        since = await in_database(routing.bump_generation)()
        await link.say(hello(generation=since))
        await link.settle(generation=since)
        await in_database(routing.bump_generation)(["joe"])
        told = await link.hear()
        assert told == Invalidate(generation=since + 1, since=since, logins=("joe",))
        # the doorbell of the next one is lost: the heartbeat brings both
        await in_database(
            lambda: Generation.objects.filter(number=since + 1).update(number=since + 2)
        )()
        await in_database(Change.objects.create)(generation=since + 2, login="ann")
        await link.say(heartbeat(generation=since))
        told = await link.hear()
        assert told == Invalidate(generation=since + 2, since=since, logins=("ann", "joe"))
        await link.close()

    play(scene)


def test_a_refusal_that_has_healed_is_forgotten_without_an_ack(
    enrolled: tuple[Node, str], publish_port: Publish
) -> None:
    node, token = enrolled
    revision = publish_port(2001)

    async def scene() -> None:
        link = Link(token)
        await link.open()
        await link.say(hello())
        assert isinstance(await link.hear(), Apply)
        problem = SettingProblem(path="servers[0].listens[0]", message="taken")
        await link.say(Nack(revision=revision.number, problems=(problem,)))
        await link.settle()
        assert (await Node.objects.aget(pk=node.pk)).refused_revision == revision.number
        await link.say(heartbeat(revision=revision.number, digest=revision.digest))
        await link.settle(revision=revision.number, digest=revision.digest)
        await link.close()

    play(scene)
    node.refresh_from_db()
    assert (node.refused_revision, node.problems) == (0, [])


def test_a_revision_that_could_not_be_saved_is_shown(
    enrolled: tuple[Node, str], publish_port: Publish
) -> None:
    node, token = enrolled
    revision = publish_port(2001)
    runs = {"revision": revision.number, "digest": revision.digest}

    async def scene() -> None:
        link = Link(token)
        await link.open()
        await link.say(hello())
        assert isinstance(await link.hear(), Apply)
        await link.say(Ack(**runs, warning="it could not be saved: No space left on device"))
        await link.settle(**runs)
        await link.close()

    play(scene)
    node.refresh_from_db()
    status = queries.status(node, revision.number, timezone.now(), revision.digest)
    assert status.state is NodeState.RUNNING
    assert status.text.endswith("; it could not be saved: No space left on device")
