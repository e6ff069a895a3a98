"""The control link: keeps one WebSocket to the appliance, and keeps trying (ADR-0006).

Whatever is said may get lost with the connection, so every connection starts over: hello, the whole
list of sessions, the totals; then changes and a heartbeat each second. What the appliance knows of
this node is never assumed.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Iterator
from typing import Final, Protocol
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
)

from proxycore.contract.codec import Invalid
from proxycore.contract.messages import (
    HEARTBEAT_S,
    Ack,
    ApplianceMessage,
    Apply,
    Challenges,
    Check,
    Checked,
    CommandResult,
    Drain,
    Heartbeat,
    Hello,
    Invalidate,
    Kick,
    Message,
    Nack,
    RecordsTaken,
    Sessions,
    Stats,
    Survey,
    Tickets,
    Waiting,
    from_frame,
    to_frame,
)
from proxycore.contract.secret import Secret
from proxycore.daemon.backoff import Backoff
from proxycore.daemon.history import History
from proxycore.daemon.logs import ErrorLogs, traceback_line
from proxycore.daemon.state import TokenFile
from proxycore.daemon.tasks import spawn

PATH: Final = "/ws/node/"

REFUSED_CODE: Final = 4403
"""Close code of the appliance for a token that is not, or no longer, good."""

STATS_S: Final = 5.0
"""How often the totals are told, also when nothing was counted: silence would be a gap."""

_OPEN_TIMEOUT_S = 5.0
_PING_S = 5.0
_CLOSE_TIMEOUT_S = 1.0
_LAST_WORDS_S = 0.4
_SOUND_S = 5.0
"""A conversation that lasted so long was sound; one that always breaks early is not hurried."""

_GATHER_S = 0.25
"""Between the first record of a batch and its departure."""

_MAX_FRAME_BYTES = 64 * 1024 * 1024


class Node(Protocol):
    """What the link speaks for."""

    def hello(self) -> Hello:
        """Who this is and what it runs."""

    def heartbeat(self) -> Heartbeat:
        """What it runs now."""

    def totals(self) -> Stats:
        """What it has counted."""

    def late_totals(self) -> Iterator[Stats]:
        """What it had counted when there was no link."""

    def all_sessions(self) -> Iterator[Sessions]:
        """Every live session."""

    def new_sessions(self) -> Iterator[Sessions]:
        """What changed since the last messages about sessions."""

    async def apply(self, message: Apply) -> Ack | Nack | None:
        """Run another revision; None when the node is ending and it does not matter any more."""

    async def check(self, message: Check) -> Checked | None:
        """Say what a configuration would meet here; None when the node is ending."""

    async def renew_token(self, token: Secret) -> None:
        """Use another node token, towards auth services as well."""

    async def invalidate(self, message: Invalidate) -> None:
        """Forget cached verdicts."""

    async def renew_tickets(self, message: Tickets) -> None:
        """Use other session ticket keys."""

    async def answer_challenges(self, message: Challenges) -> None:
        """Answer certificate authorities by these."""

    async def drain(self, message: Drain) -> None:
        """Accept no connections, or accept them again."""

    async def kick(self, message: Kick) -> CommandResult:
        """Disconnect sessions."""

    async def survey(self, message: Survey) -> Waiting:
        """Look at the sessions that have not logged in."""


def link_url(control: str) -> str:
    """Give the WebSocket address for what ``--control`` was given, such as http://host:8000.

    Raises ValueError.
    """
    parts = urlsplit(control)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    if scheme not in ("ws", "wss") or not parts.hostname:
        raise ValueError(f'"{control}" is not a URL such as https://appliance.example')
    if parts.username or parts.password:
        raise ValueError("the control URL must not hold a user or password; use the token file")
    path = PATH if parts.path in ("", "/") else parts.path
    return urlunsplit((scheme, parts.netloc, path, "", ""))


class Link:
    """The connection to the appliance, over and over."""

    def __init__(
        self, url: str, token: TokenFile, node: Node, logs: ErrorLogs, history: History
    ) -> None:
        self._url = url
        self._history = history
        self._token = token
        self._node = node
        self._logs = logs
        self._backoff = Backoff()
        self._hurry = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._told = ""
        self._totals_due = 0.0

    async def run(self) -> None:
        """Connect, converse, wait, again; ends only by cancellation."""
        while True:
            try:
                outcome, refused = await self._connect()
            except Exception as error:  # noqa: BLE001  (a fault of ours must not part us for good)
                outcome, refused = f"internal error: {traceback_line(error)}", False
            self._tell(outcome)
            if refused and self._token.changed():
                # it was replaced since we read it: nobody has to restart the node for that
                self._logs.write("notice", "control link: the token file holds another token now")
                await self._node.renew_token(self._token.token)
                continue
            delay_s = self._backoff.refused_s() if refused else self._backoff.next_s()
            try:
                async with asyncio.timeout(delay_s):
                    await self._hurry.wait()
            except TimeoutError:
                pass
            self._hurry.clear()

    @property
    def is_up(self) -> bool:
        """There is a conversation."""
        return self._socket is not None

    def reconnect_now(self) -> None:
        """Give up what there is, also a wait, and connect."""
        self._hurry.set()
        if self._socket is not None:
            spawn(self._socket.close(), name="link close")

    async def say(self, message: Message) -> None:
        """Send something nobody asked for; without a connection it is not sent."""
        if self._socket is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._send(self._socket, message)

    async def finish(self) -> None:
        """Report a last time, and close; takes no longer than it may at a stop."""
        socket = self._socket
        if socket is None:
            return
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                self._totals_due = 0.0
                await self._send_news(socket)
                for frame in self._history.rest():
                    await socket.send(frame)
                await socket.close()
        except (TimeoutError, ConnectionClosed):
            pass

    def _tell(self, outcome: str) -> None:
        # said once, not each time an attempt ends in the same way
        if outcome != self._told:
            self._told = outcome
            self._logs.write("warn", f"control link: {outcome}")

    async def _connect(self) -> tuple[str, bool]:
        """Converse once; gives how it ended, and whether that was a refusal."""
        try:
            async with _Connection(
                self._url,
                additional_headers={"Authorization": f"Bearer {self._token.token.reveal()}"},
                open_timeout=_OPEN_TIMEOUT_S,
                ping_interval=_PING_S,
                ping_timeout=_PING_S,
                close_timeout=_CLOSE_TIMEOUT_S,
                max_size=_MAX_FRAME_BYTES,
                compression=None,
                proxy=None,
                logger=_silent_logger(),
            ) as socket:
                self._socket = socket
                began_mono = asyncio.get_running_loop().time()
                try:
                    await self._converse(socket)
                finally:
                    self._socket = None
                if asyncio.get_running_loop().time() - began_mono > _SOUND_S:
                    self._backoff.reset()
                if socket.close_code == REFUSED_CODE:
                    return "the appliance has revoked this node's token", True
                return f"closed ({socket.close_code} {socket.close_reason})".rstrip(), False
        except InvalidStatus as error:
            status = error.response.status_code
            if status in (401, 403):
                return f"the appliance refused this node's token (HTTP {status})", True
            return f"{self._url} answered HTTP {status}", False
        except (InvalidHandshake, InvalidMessage) as error:
            return f"{self._url} does not speak WebSocket: {error}", False
        except TimeoutError:
            return f"{self._url} does not answer", False
        except OSError as error:
            return f"{self._url} cannot be reached: {error.strerror or error}", False

    async def _converse(self, socket: ClientConnection) -> None:
        try:
            await self._send(socket, self._node.hello())
            for message in self._node.all_sessions():
                await self._send(socket, message)
            for totals in self._node.late_totals():
                await self._send(socket, totals)
            self._totals_due = 0.0
            self._told = ""
            self._logs.write("notice", f"control link: connected to {self._url}")
            async with asyncio.TaskGroup() as group:
                reporting = group.create_task(self._report(socket), name="link report")
                delivering = group.create_task(self._deliver(socket), name="link records")
                async for frame in socket:
                    self._hear(socket, frame)
                reporting.cancel()
                delivering.cancel()
        except* ConnectionClosed:
            pass

    async def _report(self, socket: ClientConnection) -> None:
        while True:
            await self._send_news(socket)
            await asyncio.sleep(HEARTBEAT_S)

    async def _deliver(self, socket: ClientConnection) -> None:
        """Send what has ended, one batch at a time: the next when the last one is stored."""
        sent = 0
        while True:
            if not self._history.is_behind:
                # ends come in crowds, and a batch of many costs the appliance less than many
                await asyncio.sleep(_GATHER_S)
            batch = self._history.batch()
            if batch is None or batch.number == sent:
                await self._history.changed()
                continue
            await socket.send(batch.frame)
            sent = batch.number

    async def _send_news(self, socket: ClientConnection) -> None:
        for message in self._node.new_sessions():
            await self._send(socket, message)
        now = asyncio.get_running_loop().time()
        if now >= self._totals_due:
            self._totals_due = now + STATS_S
            await self._send(socket, self._node.totals())
        await self._send(socket, self._node.heartbeat())

    def _hear(self, socket: ClientConnection, frame: str | bytes) -> None:
        try:
            message = from_frame(json.loads(frame))
        except Invalid as error:
            self._logs.write("error", f"control link: message not understood: {error}")
            return
        except ValueError:
            self._logs.write("error", "control link: message is not JSON")
            return
        if isinstance(message, RecordsTaken):
            self._history.taken(message.boot_id, message.number)
        elif isinstance(message, ApplianceMessage):
            # beside: a kick does not wait for a slow apply, and what is begun is carried
            # through, whatever becomes of the connection
            spawn(self._obey(socket, message), name=f"control link: {type(message).__name__}")
        else:
            self._logs.write("error", "control link: message is not for a node")

    async def _obey(self, socket: ClientConnection, order: ApplianceMessage) -> None:
        answer: Message | None
        match order:
            case Apply():
                answer = await self._node.apply(order)
            case Check():
                answer = await self._node.check(order)
            case Invalidate():
                await self._node.invalidate(order)
                answer = self._node.heartbeat()
            case Tickets():
                await self._node.renew_tickets(order)
                answer = self._node.heartbeat()
            case Challenges():
                await self._node.answer_challenges(order)
                answer = self._node.heartbeat()
            case Drain():
                await self._node.drain(order)
                answer = self._node.heartbeat()
            case Kick():
                answer = await self._node.kick(order)
            case Survey():
                answer = await self._node.survey(order)
        if answer is None:
            return
        # should it be closed by now, the next hello tells
        with contextlib.suppress(ConnectionClosed):
            await self._send(socket, answer)

    async def _send(self, socket: ClientConnection, message: Message) -> None:
        await socket.send(json.dumps(to_frame(message), separators=(",", ":")))


class _Connection(connect):
    """A connection to the address the operator gave, and to no other that a web server names."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Take a redirect for an answer; followed to https:// it would even raise."""
        return exc


def _silent_logger() -> logging.Logger:
    # its debug lines would hold our headers, and what it warns of is told by ``_tell``
    logger = logging.getLogger("proxycore.daemon.link.websockets")
    logger.disabled = True
    return logger
