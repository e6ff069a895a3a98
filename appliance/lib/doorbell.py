"""Ring the nodes' doorbell: a channel message that says only that something is new.

Delivery is at most once, so a message carries a number and never the matter itself; every node
says with each heartbeat what it has, and whatever a lost message concerned is mended then.
"""

import logging
from collections.abc import Mapping
from functools import partial
from typing import Final

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

NODES_GROUP: Final = "nodes"
"""Channel-layer group of every connected node."""


def ring_on_commit(message: Mapping[str, str | int], group: str = NODES_GROUP) -> None:
    """Ring once the current transaction is committed; outside of one, now."""
    transaction.on_commit(partial(ring, message, group))


def ring(message: Mapping[str, str | int], group: str = NODES_GROUP) -> None:
    """Send the message to the group; an unreachable channel layer is logged, not raised."""
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        async_to_sync(layer.group_send)(group, dict(message))
    except (OSError, RedisError) as fault:
        logger.warning("doorbell=%s not rung: %s", message.get("type"), fault)
