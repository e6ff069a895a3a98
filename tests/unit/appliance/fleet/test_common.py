"""Session ticket keys and answers for authorities: what is kept, rotated, and sent to nodes."""

import base64
from datetime import timedelta

import pytest
from channels.db import database_sync_to_async as in_database
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from appliance.acme import queries as acme
from appliance.fleet import common
from appliance.fleet.addresses import parse
from appliance.fleet.models import Node, TicketKey
from appliance.fleet.services import nodes, tickets
from proxycore.contract.messages import Challenges, HttpAddress, SettingProblem, Tickets
from tests.unit.appliance.fleet.wire import Link, hello, play

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"


@pytest.fixture
def pending(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What authorities may ask about now."""
    answers: dict[str, str] = {}
    monkeypatch.setattr(acme, "pending_answers", lambda: dict(answers))
    return answers


def given() -> Tickets:
    found = common.tickets()
    assert found is not None
    return found


def test_a_rotation_moves_the_keys_on_and_brings_the_next_one() -> None:
    assert common.tickets() is None
    tickets.rotate()
    first = given()
    assert [len(base64.b64decode(key.reveal())) for key in first.keys] == [80, 80]
    tickets.rotate()
    second = given()
    # what encrypts now was known before; what encrypted is still understood
    assert second.keys[0] == first.keys[-1]
    assert second.keys[1] == first.keys[0]
    assert second.number == common.ticket_number() > first.number
    tickets.rotate()
    assert first.keys[0] not in given().keys
    assert TicketKey.objects.count() == tickets.KEPT


def test_keys_are_rotated_when_their_time_is_over() -> None:
    now = timezone.now()
    assert tickets.rotate_if_due(now)
    assert not tickets.rotate_if_due(now + tickets.PERIOD - timedelta(minutes=1))
    assert tickets.rotate_if_due(now + tickets.PERIOD + timedelta(minutes=1))


def test_keys_are_encrypted_at_rest() -> None:
    tickets.rotate()
    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM fleet_ticketkey")
        stored = [row[0] for row in cursor.fetchall()]
    assert stored
    assert not {key.reveal() for key in given().keys} & set(stored)


def test_a_node_is_given_the_keys_it_lacks_until_it_says_that_it_has_them(
    enrolled: tuple[Node, str],
) -> None:
    tickets.rotate()
    now = given()

    async def scene() -> None:
        link = Link(enrolled[1])
        await link.open()
        await link.say(hello())
        assert await link.hear() == now
        await link.settle(tickets=now.number)
        await in_database(tickets.rotate)()
        assert await link.hear() == await in_database(given)()
        await link.close()

    play(scene)


def test_a_node_is_told_what_to_answer_and_says_where_it_cannot(
    enrolled: tuple[Node, str], pending: dict[str, str]
) -> None:
    node, token = enrolled
    node.acme_http_listen = ["*:80", "[::]:80"]
    nodes.configure(node)
    problem = SettingProblem(path="acme_http_listen[0]", message="Address already in use")

    async def scene() -> None:
        link = Link(token)
        await link.open()
        await link.say(hello())
        told = await link.hear()
        assert isinstance(told, Challenges)
        both = (HttpAddress(address="*", port=80), HttpAddress(address="::", port=80))
        assert (told.listen, told.answers) == (both, {})
        await link.settle(challenges=told.digest, challenge_problems=(problem,))
        pending[TOKEN] = "key-authorization"
        await link.settle(challenges=told.digest)
        more = await link.hear()
        assert isinstance(more, Challenges)
        assert more.answers == {TOKEN: "key-authorization"}
        assert more.digest != told.digest
        await link.close()

    play(scene)


def test_what_a_node_cannot_listen_on_is_kept(enrolled: tuple[Node, str]) -> None:
    node, token = enrolled
    problem = SettingProblem(path="acme_http_listen[0]", message="Address already in use")

    async def scene() -> None:
        link = Link(token)
        await link.open()
        await link.say(hello())
        await link.settle(challenge_problems=(problem,))
        await link.close()

    play(scene)
    node.refresh_from_db()
    assert node.challenge_problems == [{"path": problem.path, "message": problem.message}]


def test_a_node_that_is_not_asked_answers_nobody(pending: dict[str, str]) -> None:
    pending[TOKEN] = "key-authorization"
    assert common.challenges([]) == Challenges(digest="", listen=(), answers={})


@pytest.mark.parametrize("text", ["80", ":80", "*:0", "*:65536", "host:80", "1.2.3:80", "::1:80"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        parse(text)


def test_an_operator_changes_only_what_is_his(enrolled: tuple[Node, str]) -> None:
    node, _ = enrolled
    Node.objects.filter(pk=node.pk).update(workers=7)
    node.name, node.probe_address, node.workers = "edge-9", "192.0.2.9", 1
    nodes.configure(node)
    node.refresh_from_db()
    assert (node.name, node.probe_address, node.workers) == ("edge-9", "192.0.2.9", 7)
    node.probe_address = "not an address"
    with pytest.raises(ValidationError):
        nodes.configure(node)
