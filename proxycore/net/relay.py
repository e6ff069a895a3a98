"""The pipe a session becomes after login: octets both ways, counted, never looked at.

A read of up to 16 kB is written at once. One that fills its buffer shows that there is more, and
the rest goes by ``splice`` through a pipe lent by the pool, held only while octets are in it. What
the sink does not take is held, and the source is not read until it is gone: memory of a session is
bounded by one read or one pipe.

The end (ADR-0011). Octets that were read are delivered before a side's end is acted upon, and the
two kinds of error are kept apart: a source that broke may have left octets to deliver, a sink that
broke may still be a source. When the mail server has ended, both connections are closed. When the
client has ended, which may be half a close, the mail server is told so and its last answer still
passed on, until it ends too or is silent for ``HALF_CLOSE_S``; nginx loses that answer.

Nothing happens here on a clock: a sweep of the engine's compares counts to find idle sessions.
"""

from typing import Final

from proxycore.contract.reasons import CloseReason
from proxycore.contract.session import SessionRecord
from proxycore.net.access import Kept, write_record
from proxycore.net.context import Block
from proxycore.net.ledger import Live, Series, Way
from proxycore.net.log import LEVELS, line, shown, whereabouts
from proxycore.net.pipes import Pipe
from proxycore.net.reactor import BROKEN, READ, WRITE
from proxycore.net.sockets import READ_BYTES, read, shut_writing, write
from proxycore.net.timers import Timer

HALF_CLOSE_S: Final = 5.0
"""How long a mail server may be silent towards a client that has ended its side."""

_ROUNDS: Final = 4
"""Pipes filled per wake-up: one fast session must not keep the others waiting."""

_UNWATCHED: Final = -1

_DONE: Final = CloseReason.DONE


class Flow:
    """One direction. ``mask`` is what the reactor waits for on ``source``."""

    __slots__ = ("count", "ended", "held", "mask", "sink", "source", "streams")

    def __init__(self, source: int, sink: int, mask: int) -> None:
        self.source = source
        self.sink = sink
        self.mask = mask
        self.count = 0
        self.held: bytes | Pipe | None = None
        """Read and not yet taken by the sink; while there is any, the source is not read."""
        self.streams = False
        """The last pipe got more than a read takes: the next wake-up begins with one."""
        self.ended = False
        """Nothing more is read: the source ended or broke, or the sink broke."""


class Relay(Live):
    """A session after login. Small: thousands of these wait for most of their lives."""

    __slots__ = (
        "_active_at",
        "_auth_session",
        "_block",
        "_client",
        "_client_port",
        "_kept",
        "_listen",
        "_login",
        "_reason",
        "_seen",
        "_started_at",
        "_timer",
        "_to_back",
        "_to_front",
        "_upstream",
    )

    def __init__(  # noqa: PLR0913  (a flat record; a nested one would cost memory per session)
        self,
        block: Block,
        number: int,
        front: int,
        back: int,
        front_mask: int,
        back_mask: int,
        client: tuple[str, int],
        listen: str,
        login: bytes,
        upstream: str,
        way: Way,
        started_at: float,
        auth_session: str = "",
        kept: Kept | None = None,
    ) -> None:
        """``kept``: what the access log will need; None when there is none."""
        self._block = block
        self.number = number
        self._client, self._client_port = client
        self._listen = listen
        self._login = login
        self._upstream = upstream
        self.way = way
        self._started_at = started_at
        self._auth_session = auth_session
        self._kept = kept
        self._to_back = Flow(front, back, front_mask)
        self._to_front = Flow(back, front, back_mask)
        self._reason: CloseReason | None = None
        self._timer: Timer | None = None
        self.told_front = 0
        self.told_back = 0
        # octets at the last sweep, and when a sweep last found that some had passed
        self._seen = 0
        self._active_at = block.context.reactor.now

    # --- what the ledger asks ---

    def names(self) -> Series:
        """Give the names to count under."""
        return self._block.names

    def octets(self) -> tuple[int, int]:
        """Octets sent to the client and to the mail server."""
        return self._to_front.count, self._to_back.count

    def record(self, session: str) -> SessionRecord:
        """Describe the session for people."""
        server = self._block.server
        return SessionRecord(
            session=session,
            server=server.name,
            protocol=server.protocol.value,
            user=shown(self._login),
            client=self._client,
            client_port=self._client_port,
            listen=self._listen,
            backend=self._upstream,
            started_at=self._started_at,
            bytes_to_front=self._to_front.count,
            bytes_to_back=self._to_back.count,
            auth_session=self._auth_session,
            tls=self._tls_version(),
        )

    def _tls_version(self) -> str:
        return ""

    # --- the way of the octets ---

    def start(self, to_front: bytes, to_back: bytes) -> None:
        """Take both sockets over from the driver; pass on what it had read."""
        context = self._block.context
        context.ledger.enter(self)
        handler = self.on_ready
        context.reactor.hand_over(self._to_back.source, handler)
        context.reactor.hand_over(self._to_front.source, handler)
        try:
            if to_front:
                self._deliver(self._to_front, to_front)
            if to_back and not self._to_back.ended:
                self._deliver(self._to_back, to_back)
            if self._to_back.mask != READ or self._to_front.mask != READ:
                # the driver was waiting for room
                self._remask()
        except Exception as bug:  # noqa: BLE001  (our bug must end this session only)
            context.report_bug(bug)
            self.end(CloseReason.INTERNAL)

    def on_ready(self, fd: int, events: int) -> None:
        """Handle a socket that can be read or written. The reactor calls this."""
        try:
            inward, outward = self._to_back, self._to_front
            if fd != inward.source:
                inward, outward = outward, inward
            if events & READ:
                self._carry(inward)
            elif events & BROKEN:
                self._on_broken(inward, outward)
            if events & WRITE and outward.held is not None:
                self._flush(outward)
        except Exception as bug:  # noqa: BLE001  (our bug must end this session only)
            self._block.context.report_bug(bug)
            self.end(CloseReason.INTERNAL)

    def _carry(self, flow: Flow) -> None:
        if flow.streams:
            self._splice(flow)
            return
        try:
            data = read(flow.source, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._source_ended(flow, CloseReason.RELAY_ERROR)
            return
        if not data:
            self._source_ended(flow, None)
            return
        if self._deliver(flow, data) and len(data) == READ_BYTES:
            self._splice(flow)

    def _deliver(self, flow: Flow, data: bytes) -> bool:
        """Write octets that were read; tell whether the sink took all of them."""
        try:
            sent = write(flow.sink, data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._sink_broke(flow)
            return False
        flow.count += sent
        if sent == len(data):
            return True
        self._hold(flow, data[sent:])
        return False

    def _splice(self, flow: Flow) -> None:
        pool = self._block.context.pipes
        pipe = pool.take()
        flow.streams = False
        if pipe is None:
            return
        try:
            for _ in range(_ROUNDS):
                try:
                    filled = pipe.fill(flow.source)
                except BlockingIOError:
                    break
                except OSError:
                    self._source_ended(flow, CloseReason.RELAY_ERROR)
                    break
                if not filled:
                    self._source_ended(flow, None)
                    break
                flow.streams = filled > READ_BYTES
                if not self._drain(flow, pipe):
                    break
        finally:
            if flow.held is not pipe:
                pool.give(pipe)

    def _drain(self, flow: Flow, pipe: Pipe) -> bool:
        """Empty a pipe into the sink; tell whether that worked."""
        try:
            while pipe.held_bytes:
                flow.count += pipe.drain(flow.sink)
        except BlockingIOError:
            self._hold(flow, pipe)
            return False
        except OSError:
            self._sink_broke(flow)
            return False
        return True

    def _hold(self, flow: Flow, rest: bytes | Pipe) -> None:
        flow.held = rest
        self._remask()

    def _flush(self, flow: Flow) -> None:
        """Go on with what was held, now that the sink can take some."""
        held, flow.held = flow.held, None
        if isinstance(held, Pipe):
            delivered = self._drain(flow, held)
            if flow.held is None:
                self._block.context.pipes.give(held)
        else:
            delivered = held is None or self._deliver(flow, held)
        if not delivered:
            return
        if flow.ended:
            self._settle(flow)
        else:
            self._remask()

    # --- the end ---

    def _source_ended(self, flow: Flow, broken: CloseReason | None) -> None:
        self._reason = self._reason or broken
        flow.ended = True
        if flow.held is None:
            self._settle(flow)
        else:
            self._remask()

    def _sink_broke(self, flow: Flow) -> None:
        """Nothing can be delivered this way any more; the other way may still carry a last word."""
        other = self._to_front if flow is self._to_back else self._to_back
        # who has ended properly and then does not take an answer has not broken anything
        self._reason = self._reason or (
            CloseReason.DONE if other.ended else CloseReason.RELAY_ERROR
        )
        flow.ended = True
        if other.ended and other.held is None:
            self.end(self._reason)
        else:
            self._remask()

    def _settle(self, flow: Flow) -> None:
        """All that came from a source that ended is delivered, or lost with its sink."""
        if flow is self._to_front or self._reason is not None or self._to_front.ended:
            self.end(self._reason or _DONE)
            return
        shut_writing(flow.sink)
        self._remask()
        self._await_last_answer(self._to_front.count)

    def _await_last_answer(self, count: int) -> None:
        def look() -> None:
            if self._to_front.count == count:
                self.end(CloseReason.DONE)
            else:
                self._await_last_answer(self._to_front.count)

        self._timer = self._block.context.reactor.call_later(HALF_CLOSE_S, look)

    def _on_broken(self, inward: Flow, outward: Flow) -> None:
        if inward.mask & READ:
            self._carry(inward)
            return
        if inward.ended:
            # nothing to read from it, and nobody there to write to
            self._lose_held(outward)
            self._sink_broke(outward)
        if not self.over:
            # what is not read at present would be reported for ever
            self._block.context.reactor.forget(inward.source)
            inward.mask = _UNWATCHED

    def _lose_held(self, flow: Flow) -> None:
        if isinstance(flow.held, Pipe):
            self._block.context.pipes.give(flow.held)
        flow.held = None

    def _remask(self) -> None:
        if self.over:
            return
        self._wait_for(self._to_back, self._to_front)
        self._wait_for(self._to_front, self._to_back)

    def _wait_for(self, inward: Flow, outward: Flow) -> None:
        """Wait on one socket for exactly what can be done with it."""
        mask = READ if inward.held is None and not inward.ended else 0
        if outward.held is not None:
            mask |= WRITE
        if mask == inward.mask:
            return
        reactor = self._block.context.reactor
        if inward.mask != _UNWATCHED:
            reactor.change(inward.source, mask)
        elif mask:
            reactor.watch(inward.source, mask, self.on_ready)
        else:
            return
        inward.mask = mask

    @property
    def over(self) -> bool:
        """The session has ended and holds nothing."""
        return self._to_back.source < 0

    def end_if_idle(self, now: float) -> None:
        """Part of the sweep: end when nothing has passed for ``proxy_timeout``."""
        total = self._to_front.count + self._to_back.count
        if total != self._seen:
            self._seen = total
            self._active_at = now
        elif now - self._active_at >= self._block.idle_s:
            self.end(CloseReason.IDLE_TIMEOUT)

    def end(self, reason: CloseReason) -> None:
        """Close both connections now, whatever is still held."""
        if self._to_back.source < 0:
            return
        context = self._block.context
        if self._timer is not None:
            self._timer.cancel()
        for flow in (self._to_back, self._to_front):
            if flow.held is not None:
                self._lose_held(flow)
            context.reactor.close(flow.source)
            flow.source = flow.sink = -1
            flow.ended = True
        context.ledger.leave(self)
        context.ledger.closed(self._block.names, reason)
        context.session_gone()
        if self._block.log.threshold >= LEVELS["info"]:
            self._log_end(reason)
        if self._kept is not None:
            self._record(self._kept, reason)

    def _record(self, kept: Kept, reason: CloseReason) -> None:
        write_record(
            self._block,
            self.number,
            self._listen,
            self._client,
            self._client_port,
            self._login,
            self._auth_session,
            self._upstream,
            self._started_at,
            kept,
            reason,
            (self._to_front.count, self._to_back.count),
        )

    @property
    def _shown_client(self) -> str:
        """The client as log lines have it."""
        return self._client

    def _log_end(self, reason: CloseReason) -> None:
        message, action = _LAST_WORDS.get(reason, ("proxied session done", ""))
        where = whereabouts(
            self._shown_client, self._listen, self._login, self._upstream, self._auth_session
        )
        text = line(self.number, message, where, action)
        self._block.log.write("info", text)


_LAST_WORDS: Final = {
    CloseReason.IDLE_TIMEOUT: ("client timed out (110: Connection timed out)", "proxying"),
    CloseReason.RELAY_ERROR: ("proxied session broken", "proxying"),
    CloseReason.KICKED: ("session disconnected by an operator", "proxying"),
    CloseReason.SHUTDOWN: ("shutting down", "proxying"),
    CloseReason.SHUTDOWN_TIMEOUT: ("shutdown timeout", "proxying"),
    CloseReason.INTERNAL: ("internal error", "proxying"),
}
