"""The WebSocket of the page of sessions before login.

While it is open, nodes are asked every few seconds; otherwise nobody asks them. Several open pages
cost the nodes no more than one.
"""

import asyncio
import logging
from typing import Any, Final

from channels.db import database_sync_to_async
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from appliance.fleet import doorbells, live, waiting
from appliance.fleet.choices import CloseCode
from appliance.fleet.consumers.operators import OperatorConsumer, beside, parse
from appliance.fleet.consumers.ticking import Message
from appliance.fleet.models import Node
from appliance.fleet.services import waiting as services
from appliance.lib.doorbell import NODES_GROUP

log = logging.getLogger(__name__)

ASK_S: Final = 3.0
"""How often nodes are asked."""
PUSH_S: Final = 0.5
"""Least time between two pushes: answers of many nodes come in at about the same time."""
LOOK_AGAIN_S: Final = 5.0
"""Doorbells may be lost, and silence of a node has no bell."""


class WaitingConsumer(OperatorConsumer):
    """One open page."""

    tick_s = 0.25
    group = doorbells.WAITING_PAGES

    async def connect(self) -> None:
        """Let the operator in; nothing is asked before the page says what it wants to show."""
        self._view: waiting.View | None = None
        self._changed = False
        self._number = 0
        self._asked_at = self._pushed_at = float("-inf")
        await super().connect()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take what the page says: what it wants to show, or whom to disconnect."""
        frame = parse(text_data)
        kind = frame.get("type") if frame is not None else None
        if frame is None or kind not in ("view", "disconnect", "turn_away"):
            await self.close(code=int(CloseCode.INVALID_FRAME))
        elif kind == "view":
            self._view, self._changed = waiting.View.from_frame(frame), True
            await self.tick({})
        else:
            asked = await database_sync_to_async(self._end)(frame)
            await self._tell({"type": "ended", "what": kind, "asked": asked})

    async def waiting_told(self, message: Message) -> None:
        """Remember that a node has answered; the next tick looks at it."""
        self._changed = True

    async def tick(self, message: Message) -> None:
        """Ask, and push, when it is time to."""
        if self._view is None:
            return
        now = asyncio.get_running_loop().time()
        if now - self._asked_at >= ASK_S:
            self._asked_at = now
            await self._ask()
        passed = now - self._pushed_at
        if passed >= LOOK_AGAIN_S or (self._changed and passed >= PUSH_S):
            self._pushed_at, self._changed = now, False
            await self._push(self._view)

    async def _ask(self) -> None:
        self._number += 1
        nodes = await beside(Node.objects.filter(revoked_at=None).count)
        wanted = doorbells.survey_wanted(self._number, waiting.rows_per_node(nodes))
        await self.channel_layer.group_send(NODES_GROUP, wanted)

    async def _push(self, view: waiting.View) -> None:
        try:
            page = await beside(lambda: self._page(view))
        except (OperationalError, InterfaceError):
            log.warning("page of sessions before login: database not available")
            await self.close(code=int(CloseCode.TRY_AGAIN_LATER))
            return
        if page is None:
            await self.close(code=int(CloseCode.NOT_ALLOWED))
        else:
            await self._tell({"type": "page", "now": timezone.now().timestamp(), **page})

    # --- in a thread, with the database ---------------------------------------------------------

    def _page(self, view: waiting.View) -> dict[str, Any] | None:
        user = self._operator()
        if user is None:
            return None
        may = live.may_disconnect(user)
        return {**waiting.page(view, timezone.now()), "may_disconnect": may}

    def _end(self, frame: dict[str, Any]) -> bool:
        """Disconnect a session, or all of an address; tell whether a node will be told."""
        node, session, address = frame.get("node"), frame.get("session"), frame.get("address")
        with self._acting() as user:
            if user is None:
                return False
            if frame["type"] == "turn_away":
                found = isinstance(address, str)
                return found and services.turn_away(str(address), user, timezone.now()) > 0
            if type(node) is not int or not isinstance(session, str):
                return False
            return services.disconnect(node, session, user)
