"""What both consumers have in common."""

import pytest
from autobahn.exception import Disconnected
from channels.layers import channel_layers
from channels_redis.core import RedisChannelLayer

from appliance.fleet.choices import CloseCode
from appliance.fleet.consumers.ticking import Message, TickingConsumer
from appliance.fleet.models import Node
from tests.support.ports import free_port
from tests.unit.appliance.fleet.wire import Link, play

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_channel_layer_that_is_away_is_no_refusal_and_no_fault_of_ours(
    enrolled: tuple[Node, str], caplog: pytest.LogCaptureFixture
) -> None:
    _, token = enrolled
    away = RedisChannelLayer(hosts=[f"redis://127.0.0.1:{free_port()}/0"])

    async def scene() -> None:
        link = Link(token)
        assert await link.open()
        assert await link.closed_with() == CloseCode.TRY_AGAIN_LATER

    former = channel_layers.set("default", away)
    try:
        play(scene)
    finally:
        channel_layers.set("default", former)
    assert "channel layer not available" in caplog.text


def test_a_peer_that_is_gone_when_it_is_told_something_is_no_fault_of_ours() -> None:
    ended: list[int] = []

    class Greeter(TickingConsumer):
        async def connect(self) -> None:
            await self.accept()
            await self.send(text_data="hello")

        async def disconnect(self, code: int) -> None:
            ended.append(code)

    said = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1006}]

    async def receive() -> Message:
        return said.pop(0)

    async def send(message: Message) -> None:
        if message["type"] == "websocket.send":
            # what daphne's WebSocket library raises
            raise Disconnected

    async def scene() -> None:
        await Greeter()({"type": "websocket"}, receive, send)

    play(scene)
    assert ended == [1006]
