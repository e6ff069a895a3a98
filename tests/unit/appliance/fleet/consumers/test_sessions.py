"""The live page's WebSocket, spoken to as a browser does."""

import time

import pytest
from channels.db import database_sync_to_async as in_database
from channels.layers import get_channel_layer
from django.contrib.auth.models import User

from appliance.fleet import doorbells
from appliance.fleet.models import LiveSession, Node, NodeCommand
from appliance.fleet.services import nodes, sessions
from proxycore.contract.messages import Sessions
from tests.unit.appliance.fleet.wire import Page, hello, play, record, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def node(enrolled: tuple[Node, str]) -> Node:
    """A connected node."""
    from django.utils import timezone

    return nodes.greet(enrolled[0], "a-connection", hello(), timezone.now())


def report(node: Node, *users: str, full: bool = True) -> None:
    """Let the node report one session per user."""
    opened = tuple(record(f"w1.{user}", user=user) for user in users)
    sessions.report(node.pk, "a-connection", Sessions(boot_id="b", full=full, opened=opened))


async def ring() -> None:
    """Ring as the node consumer does when it has written."""
    await get_channel_layer().group_send(doorbells.SESSION_PAGES, doorbells.SESSIONS_CHANGED)


def test_only_who_may_see_sessions_is_let_in(
    operator: User, watcher: User, outsider: User, client: object
) -> None:
    inactive = User.objects.create_superuser("gone", password="x", is_active=False)
    from django.test import Client

    async def scene() -> None:
        for who, allowed in (
            (Client(), False),
            (await in_database(signed_in)(outsider), False),
            (await in_database(signed_in)(inactive), False),
            (await in_database(signed_in)(watcher), True),
            (await in_database(signed_in)(operator), True),
        ):
            page = Page(who)
            assert await page.open() is allowed
            await page.close()

    play(scene)


def test_another_site_cannot_open_the_page_of_a_signed_in_operator(operator: User) -> None:
    async def scene() -> None:
        page = Page(await in_database(signed_in)(operator), origin="http://evil.example")
        assert not await page.open()

    play(scene)


def test_a_view_is_answered_with_its_page(node: Node, operator: User) -> None:
    report(node, "alice", "bob", "zoe")

    async def scene() -> None:
        page = Page(await in_database(signed_in)(operator))
        await page.open()
        await page.ask(type="view", sort="user", descending=True)
        shown = await page.hear()
        assert [row["user"] for row in shown["rows"]] == ["zoe", "bob", "alice"]
        assert (shown["total"], shown["matching"], shown["may_disconnect"]) == (3, 3, True)
        await page.ask(type="view", search="BO")
        shown = await page.hear()
        assert [row["user"] for row in shown["rows"]] == ["bob"]
        assert (shown["total"], shown["matching"]) == (3, 1)
        await page.close()

    play(scene)


def test_many_changes_make_one_push_per_second(node: Node, operator: User) -> None:
    async def scene() -> None:
        page = Page(await in_database(signed_in)(operator))
        await page.open()
        await page.ask(type="view")
        await page.hear()
        began = time.monotonic()
        for count in range(1, 60):
            await in_database(report)(node, *(f"user{i}" for i in range(count)))
            await ring()
        pushes, total = 0, 0
        while total != 59:
            total, pushes = (await page.hear())["total"], pushes + 1
        assert time.monotonic() - began > pushes - 0.3
        assert await page.socket.receive_nothing(timeout=0.5)
        await page.close()

    play(scene)


def test_a_doorbell_without_a_change_pushes_nothing(node: Node, operator: User) -> None:
    async def scene() -> None:
        page = Page(await in_database(signed_in)(operator))
        await page.open()
        await page.ask(type="view")
        await page.hear()
        await ring()
        assert await page.socket.receive_nothing(timeout=1.5)
        await page.close()

    play(scene)


def test_a_change_is_shown_though_the_doorbell_is_lost(
    node: Node, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.fleet.consumers.sessions.LOOK_AGAIN_S", 0.5)

    async def scene() -> None:
        page = Page(await in_database(signed_in)(operator))
        await page.open()
        await page.ask(type="view")
        await page.hear()
        await in_database(report)(node, "alice")
        assert [row["user"] for row in (await page.hear())["rows"]] == ["alice"]
        await page.close()

    play(scene)


def test_a_disconnect_is_asked_of_the_node_in_the_operators_name(
    node: Node, operator: User
) -> None:
    report(node, "alice")
    target = LiveSession.objects.get()

    async def scene() -> None:
        page = Page(await in_database(signed_in)(operator))
        await page.open()
        await page.ask(type="disconnect", id=target.pk)
        assert await page.hear("disconnecting") == {
            "type": "disconnecting",
            "id": target.pk,
            "asked": True,
        }
        await page.ask(type="view")
        assert (await page.hear())["rows"][0]["disconnecting"] is True
        await page.close()

    play(scene)
    command = NodeCommand.objects.get()
    assert (command.node, command.targets, command.created_by) == (node, ["w1.alice"], operator)


def test_a_watcher_disconnects_nobody(node: Node, watcher: User) -> None:
    report(node, "alice")
    target = LiveSession.objects.get()

    async def scene() -> None:
        page = Page(await in_database(signed_in)(watcher))
        await page.open()
        await page.ask(type="disconnect", id=target.pk)
        assert (await page.hear("disconnecting"))["asked"] is False
        await page.close()

    play(scene)
    assert not NodeCommand.objects.exists()


def _lose_permission(user: User) -> None:
    user.user_permissions.clear()


def _lose_password(user: User) -> None:
    user.set_password("another long pass phrase")
    user.save()


def _be_deactivated(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


@pytest.mark.parametrize("lose", [_lose_permission, _lose_password, _be_deactivated])
def test_who_may_no_longer_look_is_shut_out_at_the_next_push(
    lose: object, node: Node, operator: User
) -> None:
    assert callable(lose)

    async def scene() -> None:
        page = Page(await in_database(signed_in)(operator))
        await page.open()
        await page.ask(type="view")
        await page.hear()
        await in_database(lose)(operator)
        await in_database(report)(node, "secret-user")
        await ring()
        output = await page.socket.receive_output(timeout=5)
        assert (output["type"], output["code"]) == ("websocket.close", 4403)

    play(scene)


def test_a_logout_shuts_the_page(node: Node, operator: User) -> None:
    async def scene() -> None:
        browser = await in_database(signed_in)(operator)
        page = Page(browser)
        await page.open()
        await in_database(browser.logout)()
        await page.ask(type="view")
        output = await page.socket.receive_output(timeout=5)
        assert (output["type"], output["code"]) == ("websocket.close", 4403)

    play(scene)


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "{",
        "[]",
        '{"type": "x"}',
        '{"type": "disconnect"}',
        '{"type":"disconnect","id":1e9}',
        "[" * 4000,
        " " * 5000,
    ],
)
def test_a_frame_no_page_sends_closes(frame: str, operator: User) -> None:
    async def scene() -> None:
        page = Page(await in_database(signed_in)(operator))
        await page.open()
        await page.socket.send_input({"type": "websocket.receive", "text": frame})
        output = await page.socket.receive_output(timeout=5)
        assert (output["type"], output["code"]) == ("websocket.close", 4400)

    play(scene)
