"""The pipe between a supervisor and the one that replaces it (ADR-0004).

The old one starts the new one, as nginx does at USR2, with the number of one end of an AF_UNIX
stream in the environment, and sends frames (``frames``) on it:

    old ──► new                              new ──► old
    sockets   keys (+ the descriptors)       ready     all workers serve
    begin     pid, tickets (the secret their keys are made from, in base64)
    released  the node is yours to speak for

Its end is a message, too: the other one does not serve any more.
"""

import asyncio
import base64
import os
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Self

from proxycore.daemon.frames import (
    MAX_FDS,
    READ_BYTES,
    BrokenStream,
    Decoder,
    Message,
    Outbox,
    encode,
    receive,
)

VARIABLE: Final = "POSTROAD_HANDOVER_FD"

_HANDOVER_TIMEOUT_S = 30.0
"""Between processes of one machine; a new program may take long to be loaded from a cold disk."""


class Successor:
    """The process that is to replace this one. Raises OSError when it cannot be started."""

    def __init__(self) -> None:
        self._pipe, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            theirs.set_inheritable(True)
            # from disk, with the words that started us
            self.pid = os.posix_spawn(
                sys.executable,
                [sys.executable, *sys.orig_argv[1:]],
                {**os.environ, VARIABLE: str(theirs.fileno())},
                setsigmask=(),
            )
            self._pidfd = os.pidfd_open(self.pid)
        except OSError:
            self._pipe.close()
            raise
        finally:
            theirs.close()

    async def hand_over(self, sockets: Mapping[str, socket.socket], ticket_secret: bytes) -> None:
        """Give it the listening sockets and that secret. Raises OSError when it is gone."""
        outbox = Outbox(self._pipe)
        keys = list(sockets)
        for start in range(0, len(keys), MAX_FDS):
            some = keys[start : start + MAX_FDS]
            outbox.put({"type": "sockets", "keys": some}, [sockets[key] for key in some])
        tickets = base64.b64encode(ticket_secret).decode()
        outbox.put({"type": "begin", "pid": os.getpid(), "tickets": tickets})
        self._pipe.settimeout(_HANDOVER_TIMEOUT_S)
        try:
            await asyncio.to_thread(outbox.flush)
        finally:
            outbox.close()
            self._pipe.setblocking(False)

    async def is_ready(self) -> bool:
        """Wait until it serves; False when it never will, or is not waited for any more."""
        return await _hear(self._pipe, "ready")

    async def release(self) -> None:
        """Tell it that it speaks for the node. Raises OSError when it is gone."""
        await asyncio.get_running_loop().sock_sendall(self._pipe, encode({"type": "released"}))

    async def left(self) -> None:
        """Wait until it does not serve any more, though its process may."""
        await _hear(self._pipe, "")

    def let_go(self) -> None:
        """Tell it that we do not serve any more."""
        _hang_up(self._pipe)

    async def ended(self) -> int:
        """Wait for its end; gives its exit code, or minus the signal that ended it."""
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        loop.add_reader(self._pidfd, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(self._pidfd)
        _, status = os.waitpid(self.pid, 0)  # noqa: ASYNC222  (it has ended)
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """Give the descriptors back; the process goes its own way."""
        self._pipe.close()
        os.close(self._pidfd)


class Predecessor:
    """The process that this one is to replace."""

    def __init__(self, pipe: socket.socket) -> None:
        """Receive what it hands over. Raises OSError, BrokenStream or KeyError."""
        self.sockets: dict[str, socket.socket] = {}
        """Its listening sockets, by ``Listen.key``. Whoever takes them owns them."""
        self.pid = 0
        self.ticket_secret = b""
        self._pipe = pipe
        pipe.set_inheritable(False)
        pipe.settimeout(_HANDOVER_TIMEOUT_S)
        for message, fds in _frames(pipe):
            if message["type"] == "begin":
                self.pid = message["pid"]
                self.ticket_secret = base64.b64decode(message.get("tickets", ""))
                break
            if message["type"] != "sockets":
                _close_all(fds)  # from a program that knows more than we do
                continue
            for key, fd in zip(message["keys"], fds, strict=True):
                self.sockets[key] = socket.socket(fileno=fd)
        pipe.setblocking(False)

    @classmethod
    def from_environment(cls) -> Self | None:
        """Give the predecessor, or None when this is no upgrade. Raises as the constructor does."""
        number = os.environ.pop(VARIABLE, "")
        return cls(socket.socket(fileno=int(number))) if number.isdecimal() else None

    async def take_over(self) -> None:
        """Say that we serve; returns when it has fallen silent, or is gone."""
        try:
            await asyncio.get_running_loop().sock_sendall(self._pipe, encode({"type": "ready"}))
            await _hear(self._pipe, "released")
        except OSError:
            return  # gone: so it is silent

    async def left(self) -> None:
        """Wait until it does not serve any more."""
        await _hear(self._pipe, "")

    def let_go(self) -> None:
        """Tell it that we do not serve any more."""
        _hang_up(self._pipe)

    def close(self) -> None:
        """Give the descriptor back."""
        self._pipe.close()


def _frames(pipe: socket.socket) -> Iterator[tuple[Message, list[int]]]:
    decoder = Decoder()
    try:
        while True:
            data, fds = receive(pipe)
            if not data:
                raise BrokenStream("the predecessor has hung up")
            yield from decoder.feed(data, fds)
    finally:
        decoder.close()


def _close_all(fds: Iterable[int]) -> None:
    for fd in fds:
        os.close(fd)


def _hang_up(pipe: socket.socket) -> None:
    try:
        pipe.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other end was first


async def _hear(pipe: socket.socket, kind: str) -> bool:
    """Wait for a frame of this kind; False when the other end has hung up first."""
    loop = asyncio.get_running_loop()
    decoder = Decoder()
    try:
        while data := await loop.sock_recv(pipe, READ_BYTES):
            if any(message["type"] == kind for message, _ in decoder.feed(data)):
                return True
    except (OSError, BrokenStream, KeyError):
        return False
    return False
