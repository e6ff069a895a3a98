"""A WebSocket consumer that is also woken by the clock.

Ticks come in through the same door as frames, so a handler never runs beside another and there is
no task to start, name, watch and stop.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from autobahn.exception import Disconnected
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import InterfaceError, OperationalError
from redis.exceptions import RedisError

from appliance.fleet.choices import CloseCode

log = logging.getLogger(__name__)

Message = dict[str, Any]


class TickingConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """Call ``tick`` about every ``tick_s`` between the handlers of frames and doorbells."""

    tick_s = 1.0

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Run the consumer as Channels does, with ticks among its incoming messages.

        A channel layer or database that is away ends the connection, accepted for that if need
        be: a refused handshake would say that the other end is not wanted.
        """
        self._receive = receive
        self._next_tick = asyncio.get_running_loop().time() + self.tick_s
        answered = False

        async def answer(message: Message) -> None:
            nonlocal answered
            answered = True
            # gone meanwhile: that it is, comes next
            with suppress(Disconnected):
                await send(message)

        try:
            await super().__call__(scope, self._receive_or_tick, answer)
        except (RedisError, OperationalError, InterfaceError) as fault:
            kind = "channel layer" if isinstance(fault, RedisError) else "database"
            log.warning("%s not available: %s", kind, fault)
            if not answered:
                await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": int(CloseCode.TRY_AGAIN_LATER)})

    async def _receive_or_tick(self) -> Message:
        loop = asyncio.get_running_loop()
        if loop.time() < self._next_tick:
            try:
                # an asyncio.Queue stands behind it (Daphne's), whose get() loses nothing when
                # it is cancelled
                async with asyncio.timeout_at(self._next_tick):
                    return await self._receive()
            except TimeoutError:
                pass
        self._next_tick = loop.time() + self.tick_s
        return {"type": "tick"}

    async def tick(self, message: Message) -> None:
        """Do what is to be done from time to time."""
        raise NotImplementedError
