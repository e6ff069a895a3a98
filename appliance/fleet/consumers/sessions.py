"""The live page's WebSocket: one page of sessions, pushed when it has changed.

A browser is sent what it shows and nothing else, at most once per second however many sessions
come and go. What an operator may see is looked up again for every push.
"""

import asyncio
import json
import logging
from importlib import import_module
from typing import Any, Final

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from appliance.audit import actors
from appliance.fleet import doorbells, live
from appliance.fleet.choices import CloseCode
from appliance.fleet.consumers.ticking import Message, TickingConsumer
from appliance.fleet.services import commands
from appliance.lib.clients import address_of_scope

log = logging.getLogger(__name__)

PUSH_S: Final = 1.0
"""Least time between two pushes that nobody asked for."""
ANSWER_S: Final = 0.25
"""Least time between two answers to a changed view, so that typing costs little."""
LOOK_AGAIN_S: Final = 5.0
"""Doorbells may be lost, so the page is looked at this often anyway."""
MAX_FRAME_CHARS: Final = 4096


class SessionsConsumer(TickingConsumer):
    """One open live page."""

    tick_s = ANSWER_S

    async def connect(self) -> None:
        """Refuse the handshake (HTTP 403) unless the browser's operator may see live sessions."""
        self._view = live.View()
        self._asked = False
        self._changed = False
        self._pushed_at = float("-inf")
        self._shown: dict[str, Any] | None = None
        self._session_key = self.scope["session"].session_key
        if not self._session_key or await database_sync_to_async(self._operator)() is None:
            await self.close()
            return
        await self.channel_layer.group_add(doorbells.SESSION_PAGES, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        """Leave the group."""
        await self.channel_layer.group_discard(doorbells.SESSION_PAGES, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take what the page says: what it wants to show, or whom to disconnect."""
        frame = _parse(text_data)
        if frame is None:
            await self.close(code=int(CloseCode.INVALID_FRAME))
        elif frame["type"] == "view":
            self._view, self._asked = live.View.from_frame(frame), True
            await self.tick({})
        else:
            await self._disconnect_session(frame["id"])

    async def sessions_changed(self, message: Message) -> None:
        """Remember that there is something new; the next tick looks at it."""
        self._changed = True

    async def tick(self, message: Message) -> None:
        """Push when it is time to."""
        passed = asyncio.get_running_loop().time() - self._pushed_at
        if (
            (self._asked and passed >= ANSWER_S)
            or (self._changed and passed >= PUSH_S)
            or (self._shown is not None and passed >= LOOK_AGAIN_S)
        ):
            await self._push()

    async def _push(self) -> None:
        asked, self._asked, self._changed = self._asked, False, False
        self._pushed_at = asyncio.get_running_loop().time()
        try:
            page = await database_sync_to_async(self._page)()
        except (OperationalError, InterfaceError):
            log.warning("live page: database not available")
            await self.close(code=int(CloseCode.TRY_AGAIN_LATER))
            return
        if page is None:
            await self.close(code=int(CloseCode.NOT_ALLOWED))
        elif asked or page != self._shown:
            self._shown = page
            await self._tell({"type": "page", "now": timezone.now().timestamp(), **page})

    async def _disconnect_session(self, primary_key: int) -> None:
        asked = await database_sync_to_async(self._kick)(primary_key)
        await self._tell({"type": "disconnecting", "id": primary_key, "asked": asked})

    async def _tell(self, frame: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(frame, separators=(",", ":")))

    # --- in a thread, with the database ---------------------------------------------------------

    def _operator(self) -> Any:
        store = import_module(settings.SESSION_ENGINE).SessionStore
        return live.operator(store(self._session_key))

    def _page(self) -> dict[str, Any] | None:
        user = self._operator()
        if user is None:
            return None
        return {
            **live.page(self._view, timezone.now()),
            "may_disconnect": live.may_disconnect(user),
        }

    def _kick(self, primary_key: int) -> bool:
        user = self._operator()
        if user is None or not live.may_disconnect(user):
            return False
        with actors.acting_as(actors.of_user(user, address_of_scope(self.scope))):
            return bool(commands.kick_sessions([primary_key], by=user))


def _parse(text: str | None) -> dict[str, Any] | None:
    """Read a page's frame: ``view`` or ``disconnect`` with a number as ``id``; else None."""
    if text is None or len(text) > MAX_FRAME_CHARS:
        return None
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(frame, dict):
        return None
    if frame.get("type") == "view":
        return frame
    target = frame.get("id")
    if frame.get("type") == "disconnect" and type(target) is int and 0 < target < 2**63:
        return frame
    return None
