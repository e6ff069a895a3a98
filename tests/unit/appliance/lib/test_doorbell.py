"""The doorbell."""

import logging

import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

from appliance.lib import doorbell

pytestmark = pytest.mark.django_db(transaction=True)


def _listen() -> str:
    layer = get_channel_layer()
    channel: str = async_to_sync(layer.new_channel)()
    async_to_sync(layer.group_add)(doorbell.NODES_GROUP, channel)
    return channel


def _has_rung(channel: str) -> bool:
    """The in-memory layer makes a channel's queue with its first message."""
    return channel in get_channel_layer().channels


def test_it_rings_when_the_transaction_is_committed() -> None:
    channel = _listen()
    message = {"type": "revision.published", "number": 7}
    with transaction.atomic():
        doorbell.ring_on_commit(message)
        assert not _has_rung(channel)
    assert async_to_sync(get_channel_layer().receive)(channel) == message


def test_it_does_not_ring_for_what_was_rolled_back() -> None:
    channel = _listen()
    with transaction.atomic():
        doorbell.ring_on_commit({"type": "revision.published", "number": 7})
        transaction.set_rollback(True)
    assert not _has_rung(channel)


def test_a_channel_layer_out_of_reach_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Away:
        async def group_send(self, group: str, message: object) -> None:
            raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(doorbell, "get_channel_layer", Away)
    with caplog.at_level(logging.WARNING):
        doorbell.ring({"type": "routes.changed", "generation": 1})
    assert "doorbell=routes.changed not rung" in caplog.text
