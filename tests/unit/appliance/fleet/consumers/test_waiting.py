"""Sessions before login: asked of nodes only while somebody looks, no more often than needed."""

import asyncio
from collections.abc import Iterator

import pytest
from channels.db import database_sync_to_async as in_database
from django.contrib.auth.models import User
from django.core.cache import caches

from appliance.fleet.consumers import node as node_consumer
from appliance.fleet.consumers import waiting as consumer
from appliance.fleet.models import Node, NodeCommand
from proxycore.contract.messages import CommandResult, Kick, Message, Survey
from tests.unit.appliance.fleet.wire import (
    Link,
    Page,
    hello,
    play,
    signed_in,
    waiter,
    waiting_of,
)

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/ws/waiting/"


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    caches["shared"].clear()
    yield
    caches["shared"].clear()


async def connected(enrolled: tuple[Node, str]) -> Link:
    link = Link(enrolled[1])
    assert await link.open()
    await link.say(hello())
    await link.settle()
    return link


async def heard(link: Link, kind: type[Message]) -> Message:
    """Give the next message of a kind."""
    while True:
        message = await link.hear()
        if isinstance(message, kind):
            return message


async def open_page(user: User) -> Page:
    page = Page(await in_database(signed_in)(user), path=PATH)
    assert await page.open()
    return page


def test_only_who_may_see_sessions_is_let_in(
    watcher: User, outsider: User, enrolled: tuple[Node, str]
) -> None:
    async def scene() -> None:
        for who, allowed in ((outsider, False), (watcher, True)):
            page = Page(await in_database(signed_in)(who), path=PATH)
            assert await page.open() is allowed
            await page.close()

    play(scene)


def test_a_page_has_the_nodes_asked_and_shows_what_they_say(
    enrolled: tuple[Node, str], watcher: User
) -> None:
    async def scene() -> None:
        link = await connected(enrolled)
        page = await open_page(watcher)
        await page.ask(type="view")
        assert (await page.hear())["nodes"] == [
            {"name": "edge-1", "count": None, "note": "no answer yet"}
        ]
        asked = await heard(link, Survey)
        assert isinstance(asked, Survey)
        assert asked.most == 2_000
        await link.say(waiting_of(waiter("w1.1", user="alice")))
        shown = await page.hear()
        assert [row["user"] for row in shown["rows"]] == ["alice"]
        assert (shown["total"], shown["may_disconnect"]) == (1, False)
        await page.close()
        await link.close()

    play(scene)


def test_nobody_is_asked_while_nobody_looks(
    enrolled: tuple[Node, str], watcher: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "ASK_S", 0.1)
    monkeypatch.setattr(node_consumer, "SURVEY_S", 0.0)

    async def scene() -> None:
        link = await connected(enrolled)
        page = await open_page(watcher)
        # an open page that has not said what it shows asks for nothing either
        assert await link.socket.receive_nothing(timeout=0.6)
        await page.ask(type="view")
        for _ in range(3):
            await heard(link, Survey)
        await page.close()
        await link.settle()
        while not await link.socket.receive_nothing(timeout=0.6):
            assert isinstance(await link.hear(), Survey)
        await link.close()

    play(scene)


def test_several_pages_ask_as_one(enrolled: tuple[Node, str], watcher: User) -> None:
    async def scene() -> None:
        link = await connected(enrolled)
        pages = [await open_page(watcher) for _ in range(3)]
        for page in pages:
            await page.ask(type="view")
            await page.hear()
        await heard(link, Survey)
        await link.say(waiting_of(waiter("w1.1")))
        for page in pages:
            async with asyncio.timeout(5):
                while not (await page.hear())["rows"]:
                    pass
        assert await link.socket.receive_nothing(timeout=0.5)
        for page in pages:
            await page.close()
        await link.close()

    play(scene)


def test_one_and_an_address_are_disconnected(enrolled: tuple[Node, str], operator: User) -> None:
    async def scene() -> None:
        link = await connected(enrolled)
        await link.say(waiting_of(waiter("w1.1"), waiter("w1.2")))
        await link.settle()
        page = await open_page(operator)
        await page.ask(type="disconnect", node=enrolled[0].pk, session="w1.1")
        assert await page.hear("ended") == {"type": "ended", "what": "disconnect", "asked": True}
        one = await heard(link, Kick)
        assert isinstance(one, Kick)
        assert (one.sessions, one.waiting_from) == (("w1.1",), "")
        await page.ask(type="turn_away", address="192.0.2.7")
        assert (await page.hear("ended"))["asked"] is True
        all_of = await heard(link, Kick)
        assert isinstance(all_of, Kick)
        assert (all_of.sessions, all_of.waiting_from) == ((), "192.0.2.7")
        await link.say(CommandResult(command=all_of.command, affected=2))
        await link.settle()
        await page.close()
        await link.close()

    play(scene)
    done = NodeCommand.objects.get(state="done")
    assert (done.affected, done.created_by) == (2, operator)


def test_a_watcher_disconnects_nobody(enrolled: tuple[Node, str], watcher: User) -> None:
    async def scene() -> None:
        link = await connected(enrolled)
        await link.say(waiting_of(waiter("w1.1")))
        await link.settle()
        page = await open_page(watcher)
        await page.ask(type="disconnect", node=enrolled[0].pk, session="w1.1")
        assert (await page.hear("ended"))["asked"] is False
        await page.ask(type="turn_away", address="192.0.2.7")
        assert (await page.hear("ended"))["asked"] is False
        await page.close()
        await link.close()

    play(scene)
    assert not NodeCommand.objects.exists()


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "disconnect", "node": "x", "session": "w1.1"},
        {"type": "disconnect", "node": True, "session": "w1.1"},
        {"type": "disconnect"},
        {"type": "turn_away", "address": ["192.0.2.7"]},
        {"type": "turn_away"},
    ],
)
def test_nonsense_disconnects_nobody(
    enrolled: tuple[Node, str], operator: User, frame: dict[str, object]
) -> None:
    async def scene() -> None:
        page = await open_page(operator)
        await page.ask(**frame)
        assert (await page.hear("ended"))["asked"] is False
        await page.close()

    play(scene)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"type": "x"}', " " * 5000])
def test_a_frame_no_page_sends_closes(text: str, watcher: User) -> None:
    async def scene() -> None:
        page = await open_page(watcher)
        await page.socket.send_input({"type": "websocket.receive", "text": text})
        output = await page.socket.receive_output(timeout=5)
        assert (output["type"], output["code"]) == ("websocket.close", 4400)

    play(scene)


def test_who_may_no_longer_look_is_shut_out(enrolled: tuple[Node, str], watcher: User) -> None:
    async def scene() -> None:
        page = await open_page(watcher)
        await page.ask(type="view")
        await page.hear()
        await in_database(watcher.user_permissions.clear)()
        await page.ask(type="view")
        output = await page.socket.receive_output(timeout=5)
        assert (output["type"], output["code"]) == ("websocket.close", 4403)

    play(scene)
