"""The live page's WebSocket: one page of sessions, pushed when it has changed.

A browser is sent what changed in what it shows and nothing else, at most once per second however
many sessions come and go. What an operator may see is looked up again for every push.
"""

import asyncio
import logging
from typing import Any, Final

from channels.db import database_sync_to_async
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from appliance.fleet import doorbells, live
from appliance.fleet.choices import CloseCode
from appliance.fleet.consumers.operators import OperatorConsumer, beside, parse
from appliance.fleet.consumers.ticking import Message
from appliance.fleet.services import commands, disconnects

log = logging.getLogger(__name__)

PUSH_S: Final = 1.0
"""Least time between two pushes that nobody asked for."""
ANSWER_S: Final = 0.25
"""Least time between two answers to a changed view, so that typing costs little."""
LOOK_AGAIN_S: Final = 5.0
"""Doorbells may be lost, so the page is looked at this often anyway."""


class SessionsConsumer(OperatorConsumer):
    """One open live page."""

    tick_s = ANSWER_S
    group = doorbells.SESSION_PAGES

    async def connect(self) -> None:
        """Let the operator in, who has said nothing yet."""
        self._view = live.View()
        self._asked = False
        self._changed = False
        self._pushed_at = float("-inf")
        self._shown: dict[str, Any] | None = None
        await super().connect()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take what the page says: what it wants to show, or whom to disconnect."""
        frame = _parse(text_data)
        if frame is None:
            await self.close(code=int(CloseCode.INVALID_FRAME))
        elif frame["type"] == "view":
            self._view, self._asked = live.View.from_frame(frame), True
            await self.tick({})
        elif frame["type"] == "disconnect":
            await self._disconnect_session(frame["id"])
        elif frame["type"] == "disconnect_all":
            problem = await database_sync_to_async(self._disconnect_all)(frame)
            await self._tell({"type": "disconnecting_all", "problem": problem})
        else:
            await database_sync_to_async(self._stop)(frame["id"])

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
            page = await beside(self._page)
        except (OperationalError, InterfaceError):
            log.warning("live page: database not available")
            await self.close(code=int(CloseCode.TRY_AGAIN_LATER))
            return
        if page is None:
            await self.close(code=int(CloseCode.NOT_ALLOWED))
        elif asked or page != self._shown:
            news = live.news(None if asked else self._shown, page)
            self._shown = page
            await self._tell({"type": "page", "now": timezone.now().timestamp(), **news})

    async def _disconnect_session(self, primary_key: int) -> None:
        asked = await database_sync_to_async(self._kick)(primary_key)
        await self._tell({"type": "disconnecting", "id": primary_key, "asked": asked})

    # --- in a thread, with the database ---------------------------------------------------------

    def _page(self) -> dict[str, Any] | None:
        user = self._operator()
        if user is None:
            return None
        return {
            **live.page(self._view, timezone.now()),
            "may_disconnect": live.may_disconnect(user),
        }

    def _kick(self, primary_key: int) -> bool:
        with self._acting() as user:
            return user is not None and bool(commands.kick_sessions([primary_key], by=user))

    def _disconnect_all(self, frame: dict[str, Any]) -> str:
        """Begin a mass disconnect; gives why not."""
        with self._acting() as user:
            if user is None:
                return "You may not disconnect sessions."
            text, pace = live.View.from_frame(frame).search, frame["per_second"]
            try:
                disconnects.disconnect_matching(text, user, per_second=pace)
            except disconnects.NothingToDisconnect as error:
                return str(error)
            return ""

    def _stop(self, primary_key: int) -> None:
        with self._acting() as user:
            if user is not None:
                disconnects.stop(primary_key)


def _parse(text: str | None) -> dict[str, Any] | None:
    """Read a page's frame; None for what no page of ours sends.

    ``view``; ``disconnect`` and ``stop`` with a number as ``id``; ``disconnect_all`` with a pace.
    """
    frame = parse(text)
    if frame is None:
        return None
    kind, target = frame.get("type"), frame.get("id")
    if kind in ("disconnect", "stop"):
        return frame if type(target) is int and 0 < target < 2**63 else None
    if kind == "disconnect_all":
        return frame if frame.get("per_second") in disconnects.PACES else None
    return frame if kind == "view" else None
