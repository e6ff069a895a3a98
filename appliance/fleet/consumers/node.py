"""The appliance's end of the control link (ADR-0006, ADR-0009).

A node proves itself with its token in the handshake and says what it runs in ``Hello`` and in
every ``Heartbeat``. Whatever it lacks then is sent. Doorbells only make that happen sooner.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from channels.db import database_sync_to_async
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from appliance.fleet import common, doorbells, queries
from appliance.fleet.choices import CloseCode
from appliance.fleet.consumers.handshake import bearer_token, parse, peer, peer_address
from appliance.fleet.consumers.storing import Storing
from appliance.fleet.consumers.ticking import Message, TickingConsumer
from appliance.fleet.models import Node
from appliance.fleet.services import commands, nodes, sessions, waiting
from appliance.lib.doorbell import NODES_GROUP
from appliance.lib.vault import Undecryptable
from appliance.publish import services as publish
from appliance.stats import services as stats
from proxycore.contract.codec import Invalid, Problem
from proxycore.contract.messages import (
    Ack,
    ApplianceMessage,
    Apply,
    Check,
    Checked,
    CommandResult,
    Drain,
    Heartbeat,
    Hello,
    Invalidate,
    Nack,
    Records,
    Sessions,
    Stats,
    Survey,
    Waiting,
    to_frame,
)

log = logging.getLogger(__name__)

MAX_FRAME_CHARS: Final = 32 * 2**20
"""Longest frame taken: a full report of 100,000 sessions is about 30 MB."""

CHECK_S: Final = 2
"""Without a heartbeat the right to be connected is looked up this often; 5 s are promised."""

SILENT_S: Final = 15
"""A connection without any frame for so long is dead, whatever TCP thinks."""

APPLY_AGAIN_S: Final = 10
"""What was sent (a revision, a draft to check) is not sent again before: it may be under way."""


SURVEY_S: Final = 2.0
"""A node is asked for its sessions before login no more often."""

WANTED_S: Final = 0.25
"""How old what heartbeats are compared with may be. Far less than what a lost doorbell costs."""


class NodeConsumer(TickingConsumer):
    """One connected node."""

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Run, with records of ended sessions stored beside."""
        self._storing = Storing(self._tell)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._storing.run(self._guard), name="records")
            try:
                await super().__call__(scope, receive, send)
            finally:
                await self._storing.end()

    async def connect(self) -> None:
        """Refuse the handshake (HTTP 403) unless it carries the token of a node."""
        self._node: Node | None = None
        self._greeted = False
        self._quiet_s = 0
        self._surveyed_at = float("-inf")
        self._sent: tuple[tuple[int, str], float] | None = None
        self._asked: tuple[tuple[int, str], float] | None = None
        self._given: dict[str, tuple[int | str, float]] = {}
        self._handlers: dict[type, Callable[[Any], Awaitable[None]]] = {
            Hello: self._on_hello,
            Heartbeat: self._on_heartbeat,
            Ack: self._on_ack,
            Nack: self._on_nack,
            Checked: self._on_checked,
            Sessions: self._on_sessions,
            Stats: self._on_stats,
            CommandResult: self._on_result,
            Records: self._on_records,
            Waiting: self._on_waiting,
        }
        token = bearer_token(self.scope["headers"])
        self._node = await database_sync_to_async(queries.find_by_token)(token) if token else None
        if self._node is None:
            log.warning("node refused: unknown or revoked token, peer=%s", peer(self.scope))
            await self.close()
            return
        await self.channel_layer.group_add(NODES_GROUP, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        """Leave the group. What the node said last stays; silence is judged by its age."""
        await self.channel_layer.group_discard(NODES_GROUP, self.channel_name)
        if self._node is not None:
            log.info("node disconnected: node=%s code=%s", self._node.name, code)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take one frame."""
        self._quiet_s = 0
        if text_data is not None and len(text_data) > MAX_FRAME_CHARS:
            await self._dismiss(CloseCode.FRAME_TOO_BIG, "frame too big")
            return
        await self._guard(self._take(text_data))

    async def _take(self, text: str | None) -> None:
        if text is None:
            raise Invalid([Problem("", "binary frames are not spoken")])
        frame = parse(text)
        handler = self._handlers.get(type(frame))
        if handler is None:
            raise Invalid([Problem("type", "is not for the appliance")])
        if not self._greeted and not isinstance(frame, Hello):
            raise Invalid([Problem("type", "the first frame has to be hello")])
        await handler(frame)

    # --- what nodes say ------------------------------------------------------------------------

    async def _on_hello(self, hello: Hello) -> None:
        node = await database_sync_to_async(nodes.greet)(
            self._node,
            self.channel_name,
            hello,
            timezone.now(),
            peer=peer_address(self.scope),
        )
        log.info(
            "node connected: node=%s version=%r revision=%d",
            node.name,
            hello.version,
            hello.revision,
        )
        self._greeted, self._sent, self._asked, self._given = True, None, None, {}
        await self._reconcile(node, retry_refused=True)

    async def _on_heartbeat(self, heartbeat: Heartbeat) -> None:
        node, due = await database_sync_to_async(_hear)(self._node_id, self.channel_name, heartbeat)
        await self._give(node, due)

    async def _on_ack(self, ack: Ack) -> None:
        await self._write(nodes.acknowledge, ack)

    async def _on_nack(self, nack: Nack) -> None:
        log.warning("node refused a revision: node=%s revision=%d", self._name, nack.revision)
        await self._write(nodes.refuse, nack)

    async def _on_checked(self, checked: Checked) -> None:
        await self._write(nodes.note_check, checked)

    async def _on_sessions(self, frame: Sessions) -> None:
        if await self._write(sessions.report, frame):
            await self._ring_pages()

    async def _on_stats(self, frame: Stats) -> None:
        await database_sync_to_async(stats.ingest)(self._node_id, frame, timezone.now())

    async def _on_result(self, result: CommandResult) -> None:
        await database_sync_to_async(commands.finish)(self._node_id, result, timezone.now())
        await self._ring_pages()

    async def _on_records(self, frame: Records) -> None:
        await self._storing.put(self._node_id, self.channel_name, frame)

    async def _on_waiting(self, frame: Waiting) -> None:
        await self._write(waiting.report, frame)
        await self.channel_layer.group_send(doorbells.WAITING_PAGES, doorbells.WAITING_TOLD)

    # --- what nodes are told -------------------------------------------------------------------

    async def _reconcile(self, node: Node, *, retry_refused: bool = False) -> None:
        due = await database_sync_to_async(queries.due)(node, retry_refused=retry_refused)
        await self._give(node, due)

    async def _give(self, node: Node, due: queries.Due) -> None:
        if due.revision is not None and not self._was_just_sent(due.revision):
            await self._apply(due.revision, due.group)
        if due.candidate and not self._was_just_asked(due.candidate, due.group):
            await self._ask(due.candidate, due.group)
        if due.generation is not None:
            told = Invalidate(generation=due.generation)
            if due.logins is not None:
                told = replace(told, since=node.generation, logins=due.logins)
            await self._tell(told)
        if due.tickets and not self._was_just_given("tickets", due.tickets):
            tickets = await database_sync_to_async(common.tickets)(due.ring)
            if tickets is not None:
                await self._tell(tickets)
        if due.challenges is not None and not self._was_just_given(
            "challenges", due.challenges.digest
        ):
            await self._tell(due.challenges)
        await self._command(node, due)

    async def _command(self, node: Node, due: queries.Due) -> None:
        if due.drain is not None and not self._was_just_given("drain", due.drain):
            await self._tell(Drain(is_wanted=due.drain))
        if due.commands:
            for command in await database_sync_to_async(commands.take_pending)(
                node.pk, timezone.now()
            ):
                await self._tell(commands.order(command))

    async def _apply(self, wanted: tuple[int, str], group: str) -> None:
        try:
            revision = await database_sync_to_async(publish.for_nodes)(group)
        except Undecryptable as fault:
            # it goes on with what it has; nothing else can be done before the key is back
            self._sent = (wanted, _now())
            log.error("revision not sent: node=%s revision=%d %s", self._name, wanted[0], fault)
            return
        if revision is None:
            return
        self._sent = ((revision.number, revision.digest), _now())
        await self._tell(
            Apply(revision=revision.number, digest=revision.digest, snapshot=revision.document)
        )

    async def _ask(self, number: int, group: str) -> None:
        candidate = await database_sync_to_async(publish.candidate_for_nodes)(number, group)
        if candidate is None:
            return
        self._asked = ((number, group), _now())
        await self._tell(
            Check(candidate=number, digest=candidate.digest, snapshot=candidate.document)
        )

    def _was_just_asked(self, number: int, group: str) -> bool:
        asked = self._asked
        return (
            asked is not None and asked[0] == (number, group) and _now() - asked[1] < APPLY_AGAIN_S
        )

    def _was_just_given(self, what: str, which: int | str) -> bool:
        """Tell whether this was sent a moment ago; otherwise it counts as sent from now on."""
        given, now = self._given.get(what), _now()
        if given is not None and given[0] == which and now - given[1] < APPLY_AGAIN_S:
            return True
        self._given[what] = which, now
        return False

    def _was_just_sent(self, revision: tuple[int, str]) -> bool:
        return (
            self._sent is not None
            and self._sent[0] == revision
            and _now() - self._sent[1] < APPLY_AGAIN_S
        )

    async def _tell(self, message: ApplianceMessage) -> None:
        await self.send(text_data=json.dumps(to_frame(message), separators=(",", ":")))

    async def _ring_pages(self) -> None:
        await self.channel_layer.group_send(doorbells.SESSION_PAGES, doorbells.SESSIONS_CHANGED)

    # --- doorbells and the clock: look, whatever rang --------------------------------------------

    async def revision_published(self, message: Message) -> None:
        """Look whether the node has to be sent a revision."""
        await self._look()

    async def candidate_asked(self, message: Message) -> None:
        """Look whether the node has to check a draft."""
        await self._look()

    async def routes_changed(self, message: Message) -> None:
        """Look whether the node has to forget its cached verdicts."""
        await self._look()

    async def tickets_renewed(self, message: Message) -> None:
        """Look whether the node has to be given other session ticket keys."""
        await self._look()

    async def challenges_changed(self, message: Message) -> None:
        """Look whether the node has to answer authorities by something else."""
        await self._look()

    async def node_command(self, message: Message) -> None:
        """Look for commands, if they are for this node."""
        if message["node"] == self._node_id:
            await self._look()

    async def waiting_wanted(self, message: Message) -> None:
        """Ask for the sessions before login, once for all who look."""
        if self._greeted and _now() - self._surveyed_at >= SURVEY_S:
            self._surveyed_at = _now()
            await self._tell(Survey(number=message["number"], most=message["most"]))

    async def node_dismissed(self, message: Message) -> None:
        """Look whether this node may still be connected."""
        if message["node"] == self._node_id:
            await self._guard(self._check())

    async def tick(self, message: Message) -> None:
        """Without heartbeats nobody else would notice that the node is revoked, or dead."""
        if self._node is None:
            return
        self._quiet_s += 1
        if self._quiet_s >= SILENT_S:
            await self._dismiss(CloseCode.SILENT, "nothing heard")
        elif self._quiet_s % CHECK_S == 0:
            await self._guard(self._check())

    async def _look(self) -> None:
        if self._greeted:
            await self._guard(self._check_and_reconcile())

    async def _check_and_reconcile(self) -> None:
        await self._reconcile(await self._write(nodes.check))

    async def _check(self) -> None:
        if self._greeted:
            await self._write(nodes.check)
        else:
            await database_sync_to_async(nodes.check_admitted)(self._node)

    # --- means -----------------------------------------------------------------------------------

    async def _guard(self, work: Awaitable[None]) -> None:
        """Run a step; what a node or the database does wrong ends the connection, not more."""
        try:
            await work
        except Invalid as error:
            await self._dismiss(CloseCode.INVALID_FRAME, str(error)[:500])
        except nodes.Dismissed as error:
            await self._dismiss(error.code, error.reason)
        except (OperationalError, InterfaceError) as error:
            await self._dismiss(CloseCode.TRY_AGAIN_LATER, f"database not available: {error}")

    async def _dismiss(self, code: CloseCode, reason: str) -> None:
        log.warning("node connection closed: node=%s code=%d reason=%r", self._name, code, reason)
        # a close frame has room for 123 octets of reason (RFC 6455 §5.5)
        await self.close(code=int(code), reason=reason.encode()[:120].decode("utf-8", "ignore"))

    async def _write(self, service: Callable[..., Any], *what: Any) -> Any:
        """Call a service with who speaks first: the node, and by which connection."""
        return await database_sync_to_async(service)(self._node_id, self.channel_name, *what)

    @property
    def _node_id(self) -> int:
        assert self._node is not None
        return self._node.pk

    @property
    def _name(self) -> str:
        return self._node.name if self._node is not None else "?"


_wanted: tuple[queries.Wanted, float] | None = None


def _hear(node_id: int, connection: str, heartbeat: Heartbeat) -> tuple[Node, queries.Due]:
    """Take a heartbeat, and say what the node lacks: one way to the database and back.

    What all nodes should have is looked up once for those that are heard about the same time.
    """
    global _wanted
    node = nodes.hear(node_id, connection, heartbeat, timezone.now())
    looked = time.monotonic()
    if _wanted is None or looked - _wanted[1] > WANTED_S:
        _wanted = queries.Wanted.now(), looked
    return node, queries.due(node, retry_refused=False, wanted=_wanted[0])


def _now() -> float:
    return asyncio.get_running_loop().time()
