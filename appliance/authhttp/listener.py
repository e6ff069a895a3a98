"""The auth service's own HTTP listener: as much of HTTP/1.1 as nginx and our nodes speak.

``GET`` without a body, answers without a body, keep-alive. A web server does much more and costs
0.9 ms of CPU for it, five times what a decision costs (docs/benchmarks). The rest is refused and
the connection closed, so that nobody can disagree with us on where a request ends.
"""

import asyncio
import contextlib
import re
import time
from typing import Final

from appliance.authhttp import views
from appliance.authhttp.desk import Desk

PATH: Final = b"/auth_http"

MAX_HEAD_BYTES: Final = 65_536
"""A certificate in Auth-SSL-Cert takes some kilobytes."""
MAX_CONNECTIONS: Final = 4_096
HEAD_S: Final = 20.0
"""Time for a request to arrive once it has begun."""
IDLE_S: Final = 300.0
"""Time a connection is kept without a request; who asks again opens a new one."""
_SWEEP_S: Final = 5.0

_REQUEST_LINE: Final = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.([01])")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_REASONS: Final = {
    200: b"OK",
    400: b"Bad Request",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}
_END: Final = b"Content-Length: 0\r\nCache-Control: no-store\r\n"


class BadRequest(Exception):
    """The peer's fault: answered with 400, and the connection is closed."""


class Head:
    """The head of one request."""

    __slots__ = ("headers", "keeps", "method", "path")

    def __init__(self, octets: bytes) -> None:
        """Read a head, without the blank line that ends it. Raises BadRequest."""
        first, *lines = octets.split(b"\r\n")
        found = _REQUEST_LINE.fullmatch(first)
        if found is None:
            raise BadRequest
        self.method, self.path = found[1], found[2].partition(b"?")[0]
        self.keeps = found[3] == b"1"
        self.headers: list[tuple[bytes, bytes]] = []
        for line in lines:
            name, colon, value = line.partition(b":")
            # a folded line begins with a blank, which is in no name
            if not colon or _NAME.fullmatch(name) is None:
                raise BadRequest
            value = value.strip(b" \t")
            self.headers.append((name, value))
            if len(name) in (10, 14, 17):
                self._look(name.lower(), value)

    def _look(self, name: bytes, value: bytes) -> None:
        if name == b"connection":
            self.keeps = value.lower() == b"keep-alive" or (
                self.keeps and value.lower() != b"close"
            )
        elif name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            raise BadRequest


class Channel(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, listener: "Listener") -> None:
        self._listener = listener
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._keeps = True
        self.is_busy = False
        self.since = time.monotonic()
        """When this began: a request, or the wait for one."""

    # --- what the loop tells ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if not self._listener.admit(self):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._transport = None
        self._listener.dismiss(self)

    def data_received(self, data: bytes) -> None:
        """Take octets; what comes during an answer waits for its turn."""
        if not self._buffer:
            self.since = time.monotonic()
        self._buffer += data
        if not self.is_busy:
            self._next()
        elif len(self._buffer) > MAX_HEAD_BYTES and self._transport is not None:
            self._transport.pause_reading()

    # --- requests ---------------------------------------------------------------------------------

    def _next(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or end > MAX_HEAD_BYTES:
            if len(self._buffer) > MAX_HEAD_BYTES:
                self._refuse(431)
            return
        octets = bytes(self._buffer[:end])
        del self._buffer[: end + 4]
        try:
            head = Head(octets)
        except BadRequest:
            self._refuse(400)
            return
        self._keeps = head.keeps
        self.is_busy = True
        if head.path != PATH:
            self._answer((404, []))
        elif head.method != b"GET":
            self._answer((405, [(b"Allow", b"GET")]))
        else:
            self._listener.desk.ask(head.headers, self._listener.loop, self._answer)

    def _refuse(self, status: int) -> None:
        self._keeps = False
        self._answer((status, []))

    def _answer(self, reply: views.Reply) -> None:
        self.is_busy = False
        self.since = time.monotonic()
        if self._transport is None:
            return
        keeps = self._keeps and not self._listener.is_closing
        self._transport.write(render(reply, keeps=keeps))
        if not keeps:
            self._transport.close()
            return
        if self._buffer:
            self._transport.resume_reading()
            self._listener.loop.call_soon(self._resume)

    def _resume(self) -> None:
        if not self.is_busy and self._transport is not None:
            self._next()

    def sweep(self, now: float) -> None:
        """Close the connection when nothing came for too long."""
        patience_s = HEAD_S if self._buffer else IDLE_S
        if not self.is_busy and now - self.since > patience_s:
            self.close()

    def close(self) -> None:
        """Close; what was written is still sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()


def render(reply: views.Reply, *, keeps: bool) -> bytes:
    """Give a reply as octets."""
    status, headers = reply
    lines = [b"HTTP/1.1 %d %b\r\n" % (status, _REASONS[status])]
    lines += [b"%b: %b\r\n" % header for header in headers]
    lines.append(_END)
    lines.append(b"\r\n" if keeps else b"Connection: close\r\n\r\n")
    return b"".join(lines)


class Listener:
    """All connections of the service, in one event loop."""

    def __init__(self, desk: Desk, loop: asyncio.AbstractEventLoop) -> None:
        self.desk = desk
        self.loop = loop
        self.is_closing = False
        self._channels: set[Channel] = set()
        self._server: asyncio.Server | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._one_left = asyncio.Event()

    async def open(self, address: str, port: int) -> int:
        """Listen; give the port. Raises OSError."""
        host = None if address in ("", "*") else address
        self._server = await self.loop.create_server(
            lambda: Channel(self), host, port, backlog=1024, reuse_address=True
        )
        self._later()
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def close(self, within_s: float) -> None:
        """Accept no more, let answers under way go out, close everything."""
        self.is_closing = True
        if self._sweep is not None:
            self._sweep.cancel()
        if self._server is not None:
            self._server.close()
        for channel in list(self._channels):
            if not channel.is_busy:
                channel.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._channels:
                    self._one_left.clear()
                    await self._one_left.wait()
        for channel in list(self._channels):
            channel.abort()

    @property
    def open_count(self) -> int:
        """Connections now."""
        return len(self._channels)

    def admit(self, channel: Channel) -> bool:
        """Take a new connection in, if there is room."""
        if self.is_closing or len(self._channels) >= MAX_CONNECTIONS:
            return False
        self._channels.add(channel)
        return True

    def dismiss(self, channel: Channel) -> None:
        """Forget a connection."""
        self._channels.discard(channel)
        self._one_left.set()

    def _later(self) -> None:
        self._sweep = self.loop.call_later(_SWEEP_S, self._sweep_all)

    def _sweep_all(self) -> None:
        now = time.monotonic()
        for channel in list(self._channels):
            channel.sweep(now)
        self._later()
