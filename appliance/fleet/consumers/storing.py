"""Takes records of ended sessions in beside all else that a node says (ADR-0031).

The history is written by one thread of its own in each web process, so that neither the node's
heartbeats nor anybody's pages wait for it. A batch is acknowledged when it is committed, which is
when the node sends the next: who writes slowly is told less.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from channels.db import database_sync_to_async
from django.utils import timezone

from appliance.fleet.services import nodes
from appliance.history import services as history
from proxycore.contract.messages import Records, RecordsTaken

MOST_WAITING: Final = 4
"""Batches of one node that may wait here; only its farewell is more than one. Then it is not read
further."""

_hand: Final = ThreadPoolExecutor(1, thread_name_prefix="history")


class Storing:
    """The batches of one connection."""

    def __init__(self, tell: Callable[[RecordsTaken], Awaitable[None]]) -> None:
        """``tell`` says to the node what is stored."""
        self._tell = tell
        self._waiting: asyncio.Queue[tuple[int, str, Records] | None] = asyncio.Queue(MOST_WAITING)

    async def put(self, node: int, connection: str, batch: Records) -> None:
        """Have a batch stored, after those before it."""
        await self._waiting.put((node, connection, batch))

    async def end(self) -> None:
        """There will be no more."""
        await self._waiting.put(None)

    async def run(self, guard: Callable[[Awaitable[None]], Awaitable[None]]) -> None:
        """Store what comes until the end. ``guard`` deals with what goes wrong."""
        while (waiting := await self._waiting.get()) is not None:
            await guard(self._store(*waiting))

    async def _store(self, node: int, connection: str, batch: Records) -> None:
        store = database_sync_to_async(_store, thread_sensitive=False, executor=_hand)
        await store(node, connection, batch)
        await self._tell(RecordsTaken(boot_id=batch.boot_id, number=batch.number))


def _store(node: int, connection: str, batch: Records) -> None:
    nodes.check(node, connection)
    history.ingest(node, batch, timezone.now())
