"""What both consumers have in common."""

import pytest
from channels.layers import channel_layers
from channels_redis.core import RedisChannelLayer

from appliance.fleet.choices import CloseCode
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
