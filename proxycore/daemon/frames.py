"""Frames between the supervisor and a worker, over an AF_UNIX stream socketpair.

    0               4       5
    ┌───────────────┬───────┬──────────────────────┐
    │ length (u32)  │ fds   │ JSON object, UTF-8   │
    └───────────────┴───────┴──────────────────────┘

``length``, big-endian, counts the JSON octets alone. ``fds`` says how many file descriptors
belong to the frame; they travel by SCM_RIGHTS with the first octet of its header, in order. The
kernel never delivers descriptors later than the octets they were sent with, so a complete frame
finds its own at the head of the queue.

``fds`` of 255 means that no descriptors but plain octets belong to the frame: they follow the
object and a line feed, and count in ``length``.

The kinds of frame, each an object with a ``type``; one that carries ``n`` is answered by ``done``:

    supervisor ──► worker                            worker ──► supervisor
    start       boot id, identity, token, generation done      n, affected, problem, told
    sockets     keys (+ the descriptors)             report    totals, session changes
    zones       names, sizes (+ the descriptors)     log       lines: [level, time, message]
    apply       n, snapshot, zones, tickets          access    server, dropped (+ the lines)
    tickets     n, keys                              refusals  dropped (+ the lines)
    invalidate  n, generation, since, logins
    kick        n, sessions
    survey      n, most                              (``done`` when it is, as of turn_away)
    turn_away   n, address
    drain       shutdown_timeout_ms
    stop
"""

import json
import os
import socket
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

Message = dict[str, Any]

MAX_FRAME_BYTES: Final = 256 * 1024 * 1024
"""No frame of ours comes near; a length beyond it means that the stream is out of step."""

MAX_FDS: Final = 200
"""Descriptors per frame. The kernel takes 253 (SCM_MAX_FD) per message."""

READ_BYTES: Final = 262_144

_WITH_OCTETS: Final = 255

_HEADER = struct.Struct("!IB")


class BrokenStream(Exception):
    """The stream cannot be understood any more; the process at its other end has to go."""


def encode(message: Message, fd_count: int = 0, octets: bytes = b"") -> bytes:
    """Give the octets of a frame; one that brings ``octets`` has no descriptors."""
    body = json.dumps(message, separators=(",", ":")).encode()
    if octets:
        body, fd_count = b"%b\n%b" % (body, octets), _WITH_OCTETS
    return _HEADER.pack(len(body), fd_count) + body


class Decoder:
    """Cut a stream of octets and descriptors into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._fds: deque[int] = deque()

    def feed(self, data: bytes, fds: Iterable[int] = ()) -> Iterator[tuple[Message, list[int]]]:
        """Take what arrived; give every frame that is complete now, with its descriptors.

        The caller owns the descriptors it is given. Raises BrokenStream.
        """
        self._buffer += data
        self._fds.extend(fds)
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> tuple[Message, list[int]] | None:
        if len(self._buffer) < _HEADER.size:
            return None
        length, fd_count = _HEADER.unpack_from(self._buffer)
        if length > MAX_FRAME_BYTES:
            raise BrokenStream(f"frame of {length} bytes")
        end = _HEADER.size + length
        if len(self._buffer) < end:
            return None
        octets = b""
        if fd_count == _WITH_OCTETS:
            line_end = self._buffer.find(b"\n", _HEADER.size, end)
            octets = bytes(self._buffer[line_end + 1 : end])
            fd_count, text = 0, self._buffer[_HEADER.size : line_end]
        else:
            text = self._buffer[_HEADER.size : end]
        if fd_count > len(self._fds):
            raise BrokenStream(f"frame with {fd_count} descriptors, {len(self._fds)} arrived")
        try:
            message = json.loads(text)
        except ValueError:
            raise BrokenStream("frame that is not JSON") from None
        if not isinstance(message, dict):
            raise BrokenStream("frame that is not an object")
        if octets:
            message["octets"] = octets
        del self._buffer[:end]
        return message, [self._fds.popleft() for _ in range(fd_count)]

    def close(self) -> None:
        """Close descriptors that no frame has claimed."""
        while self._fds:
            os.close(self._fds.popleft())


class Passable(Protocol):
    """What has a descriptor that can be handed over: a socket, or memory."""

    def fileno(self) -> int:
        """Give the descriptor."""

    def dup(self) -> "Passable":
        """Give another descriptor of the same thing."""

    def close(self) -> None:
        """Give the descriptor back."""


class Outbox:
    """What is still to be sent on a non-blocking stream socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._queue: deque[tuple[memoryview, list[Passable]]] = deque()
        self.pending_bytes = 0

    def put(self, message: Message, passed: Sequence[Passable] = (), octets: bytes = b"") -> None:
        """Append a frame. ``passed`` is handed over; the caller may close its own."""
        data = encode(message, len(passed), octets)
        self._queue.append((memoryview(data), [one.dup() for one in passed]))
        self.pending_bytes += len(data)

    def flush(self) -> bool:
        """Send what the socket takes; True when nothing is left.

        Raises OSError when the other end is gone.
        """
        while self._queue:
            data, passed = self._queue[0]
            try:
                sent = self._send(data, passed)
            except (BlockingIOError, InterruptedError):
                return False
            self.pending_bytes -= sent
            _close_all(passed)
            if sent == len(data):
                self._queue.popleft()
            else:
                self._queue[0] = (data[sent:], [])
        return True

    def _send(self, data: memoryview, passed: Sequence[Passable]) -> int:
        if not passed:
            return self._sock.send(data)
        return socket.send_fds(self._sock, [data], [one.fileno() for one in passed])

    def close(self) -> None:
        """Forget what was not sent."""
        for _, passed in self._queue:
            _close_all(passed)
        self._queue.clear()
        self.pending_bytes = 0


def receive(sock: socket.socket) -> tuple[bytes, list[int]]:
    """Receive octets and descriptors; no octets means the other end is gone.

    Raises BlockingIOError when there is nothing; BrokenStream when descriptors were lost.
    """
    data, fds, flags, _ = socket.recv_fds(sock, READ_BYTES, MAX_FDS + 50)
    for fd in fds:
        # as all that Python opens itself; this Python's recv_fds passes no MSG_CMSG_CLOEXEC on
        os.set_inheritable(fd, False)
    if flags & socket.MSG_CTRUNC:
        for fd in fds:
            os.close(fd)
        raise BrokenStream("descriptors were lost: the limit of open files is too low")
    return data, fds


def _close_all(passed: Iterable[Passable]) -> None:
    for one in passed:
        one.close()
