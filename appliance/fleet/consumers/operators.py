"""What the WebSockets of live pages have in common: who may look, and in whose name they act."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

from channels.db import database_sync_to_async
from django.conf import settings

from appliance.audit import actors
from appliance.fleet import live
from appliance.fleet.consumers.ticking import TickingConsumer
from appliance.lib.clients import address_of_scope

MAX_FRAME_CHARS: Final = 4096

_hand: Final = ThreadPoolExecutor(1, thread_name_prefix="live pages")
"""Reads for all live pages, so that none waits behind what nodes report."""


async def beside(read: Callable[[], Any]) -> Any:
    """Read for a page."""
    return await database_sync_to_async(read, thread_sensitive=False, executor=_hand)()


def parse(text: str | None) -> dict[str, Any] | None:
    """Read a page's frame; None for what is no object, or too long for one of ours."""
    if text is None or len(text) > MAX_FRAME_CHARS:
        return None
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return frame if isinstance(frame, dict) else None


class OperatorConsumer(TickingConsumer):
    """A page of an operator who may see sessions; what he may is looked up again each time."""

    group = ""
    """Channel-layer group of all such pages."""

    async def connect(self) -> None:
        """Refuse the handshake (HTTP 403) unless the browser's operator may see live sessions."""
        self._session_key = self.scope["session"].session_key
        if not self._session_key or await beside(self._operator) is None:
            await self.close()
            return
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        """Leave the group."""
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def _tell(self, frame: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(frame, separators=(",", ":")))

    # --- in a thread, with the database ---------------------------------------------------------

    def _operator(self) -> Any:
        store = import_module(settings.SESSION_ENGINE).SessionStore
        return live.operator(store(self._session_key))

    @contextmanager
    def _acting(self) -> Iterator[Any]:
        """Give the operator if he may disconnect sessions, else None; what he does is his."""
        user = self._operator()
        if user is None or not live.may_disconnect(user):
            yield None
            return
        with actors.acting_as(actors.of_user(user, address_of_scope(self.scope))):
            yield user
