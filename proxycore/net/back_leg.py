"""The mail server's connection before login."""

import errno
import os
from functools import lru_cache
from typing import Final

from proxycore.contract.reasons import CloseReason
from proxycore.dialogue.commands import ConnectBack
from proxycore.dialogue.events import BackBytes, BackClosed, BackConnected, BackFailed
from proxycore.dialogue.states import State
from proxycore.net.door import Door
from proxycore.net.front_leg import FrontLeg
from proxycore.net.log import ACTIONS
from proxycore.net.reactor import READ, WRITE
from proxycore.net.sockets import (
    READ_BYTES,
    Address,
    address_of,
    described,
    shown_address,
    start_connect,
)

_BACK_CONNECTED: Final = BackConnected()
_BACK_CLOSED: Final = BackClosed()


class BackLeg(FrontLeg):
    """Connects to a mail server, reads and writes it."""

    __slots__ = ("_back", "_back_out", "_connected")

    def __init__(self, door: Door, front: int, client: tuple[str, int], number: int) -> None:
        super().__init__(door, front, client, number)
        self._back = -1
        self._back_out = b""
        self._connected = False

    def _on_back(self, fd: int, events: int) -> None:
        if events & WRITE:
            self._flush_back()
            if not self._back_out and self._back >= 0:
                self.context.reactor.change(fd, READ)
            if events == WRITE or self._back < 0:
                return
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as problem:
            self._back_broke(problem)
            return
        event = BackBytes(data) if data else _BACK_CLOSED
        if self._connected:
            self.deliver(event)
        else:
            self._connected = True
            self._following = event
            self.deliver(_BACK_CONNECTED)

    def _back_broke(self, problem: OSError) -> None:
        if self._connected:
            self.deliver(_BACK_CLOSED)
            return
        self._note_connect_failure(problem)
        self.deliver(BackFailed(_failure_of(problem)))

    def _note_connect_failure(self, problem: OSError) -> None:
        self._log("error", f"connect() failed ({described(problem)})", ACTIONS[State.CONNECTING])

    def _flush_back(self) -> None:
        out = self._back_out
        try:
            sent = os.write(self._back, out)
        except BlockingIOError:
            sent = 0
        except OSError:
            # why it broke, or its last words, will be read
            self._back_out = b""
            return
        if sent == len(out):
            self._back_out = b""
        else:
            self._back_out = out[sent:]
            self.context.reactor.change(self._back, READ | WRITE)

    def _connect_back(self, command: ConnectBack) -> None:
        address, self._upstream = _destination(command.address, command.port)
        try:
            self._back = start_connect(address)
        except OSError as problem:
            self._note_connect_failure(problem)
            self._following = BackFailed(_failure_of(problem))
            return
        # The mail server speaks first, so its greeting tells that we are connected.
        self.context.reactor.watch(self._back, READ, self._on_back)


@lru_cache(maxsize=1024)
def _destination(address: str, port: int) -> tuple[Address, str]:
    """Remembered, because thousands of sessions are of the same few mail servers."""
    return address_of(address, port), shown_address(address, port)


def _failure_of(problem: OSError) -> CloseReason:
    if problem.errno == errno.ETIMEDOUT:
        return CloseReason.BACKEND_TIMEOUT
    return CloseReason.BACKEND_REFUSED
