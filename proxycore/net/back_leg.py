"""The mail server's connection before login: its name, its addresses, its octets."""

import errno
import os
from functools import lru_cache
from typing import Final

from proxycore.contract.reasons import CloseReason
from proxycore.dialogue.commands import ConnectBack
from proxycore.dialogue.events import BackBytes, BackClosed, BackConnected, BackFailed
from proxycore.dialogue.states import State
from proxycore.net.door import Door
from proxycore.net.front_tls_leg import FrontTlsLeg
from proxycore.net.log import ACTIONS
from proxycore.net.names import is_ip_address
from proxycore.net.reactor import READ, WRITE
from proxycore.net.resolver import Answer, Lookup
from proxycore.net.sockets import (
    READ_BYTES,
    Address,
    address_of,
    described,
    is_connected,
    keep_alive,
    read,
    shown_address,
    start_connect,
    write,
)
from proxycore.net.timers import Timer
from proxycore.wire.proxyproto import render_v1, render_v2

ANOTHER_ADDRESS_S: Final = 5.0
"""How long an address may leave a connection unanswered while there is another to try."""

_BACK_CONNECTED: Final = BackConnected()
_BACK_CLOSED: Final = BackClosed()


class BackLeg(FrontTlsLeg):
    """Connects to a mail server, reads and writes it."""

    __slots__ = ("_back", "_back_out", "_connected", "_lookup", "_patience", "_targets")

    def __init__(self, door: Door, front: int, client: tuple[str, int], number: int) -> None:
        FrontTlsLeg.__init__(self, door, front, client, number)
        self._back = -1
        self._back_out = b""
        self._connected = False
        self._targets: list[tuple[str, int]] | None = None
        """Addresses still to be tried, when the mail server's name has several."""
        self._patience: Timer | None = None
        self._lookup: Lookup | None = None

    # --- connecting ---

    def _connect_back(self, command: ConnectBack) -> None:
        place, port = command.address, command.port
        if _is_name(place):
            self._look_up(place, port)
            return
        problem = self._connect_to(place, port)
        if problem is not None:
            self._following = BackFailed(_failure_of(problem))

    def _connect_to(self, place: str, port: int) -> OSError | None:
        """Begin to connect; give the failure that shows at once, after logging it."""
        address, self._upstream = _destination(place, port)
        try:
            self._back = start_connect(address)
        except OSError as problem:
            self._note_connect_failure(problem)
            return problem
        server = self.block.server
        if server.so_keepalive:
            keep_alive(self._front)
            keep_alive(self._back)
        self._back_out = self._first_words()
        # where the mail server speaks first, its greeting tells that we are connected
        mask = READ | WRITE if self._back_out else READ
        self.context.reactor.watch(self._back, mask, self._on_back)
        return None

    def _first_words(self) -> bytes:
        """Give what a mail server gets before it says anything."""
        version = self.block.server.proxy_protocol
        if version == "off":
            return b""
        client, local = (self.client_ip, self.client_port), self.door.local_address(self._front)
        return render_v1(client, local) if version == "on" else render_v2(client, local)

    def _look_up(self, name: str, port: int) -> None:
        """Find the addresses of a mail server given by name."""
        block = self.block
        self._upstream = shown_address(name, port)

        def told(answer: Answer) -> None:
            self._lookup = None
            failed = self._take_addresses(answer, name, port)
            if failed is not None:
                self.deliver(failed)

        timeout_s = block.server.resolver_timeout_ms / 1000
        found = block.resolver.addresses_of(name, timeout_s, told)
        if isinstance(found, Lookup):
            self._lookup = found
        else:
            self._following = self._take_addresses(found, name, port)

    def _take_addresses(self, answer: Answer, name: str, port: int) -> BackFailed | None:
        if answer.code:
            message = f'"{name}" could not be resolved ({answer.reason})'
            self._log("error", message, ACTIONS[State.CONNECTING])
            return BackFailed(CloseReason.BACKEND_REFUSED)
        return self._connect_next([(ip, port) for ip in answer.found])

    def _connect_next(self, targets: list[tuple[str, int]]) -> BackFailed | None:
        """Try the next address; give the failure of the last one when there is none left."""
        problem: OSError | None = None
        while targets:
            problem = self._connect_to(*targets.pop(0))
            if problem is None:
                self._targets = targets
                if targets:
                    later = self.context.reactor.call_later
                    self._patience = later(ANOTHER_ADDRESS_S, self._lose_patience)
                return None
        return BackFailed(_failure_of(problem) if problem else CloseReason.BACKEND_REFUSED)

    def _lose_patience(self) -> None:
        """Try another address than one that does not even refuse."""
        self._patience = None
        if self._back >= 0 and not is_connected(self._back):
            self._note_connect_failure(OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)))
            self._try_another()

    def _try_another(self) -> bool:
        """Leave an address that did not work for the next one; tell whether there was one."""
        targets = self._targets
        if not targets:
            return False
        self._drop_back()
        failed = self._connect_next(targets)
        if failed is not None:
            self.deliver(failed)
        return True

    def _drop_back(self) -> None:
        """Give up the mail server, or what is under way to one."""
        self._targets = None
        self._back_out = b""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if self._lookup is not None:
            self._lookup.cancel()
            self._lookup = None
        if self._back >= 0:
            self.context.reactor.close(self._back)
            self._back = -1

    # --- reading and writing ---

    def _on_back(self, fd: int, events: int) -> None:
        if events & WRITE:
            self._flush_back()
            if fd != self._back:
                return
            if not self._back_out:
                self.context.reactor.change(fd, READ)
            if events == WRITE:
                return
        try:
            data = read(fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as problem:
            self._back_broke(problem)
            return
        self._take_back(data)

    def _take_back(self, data: bytes) -> None:
        """Tell the machine what the mail server sent; nothing: it has closed."""
        event = BackBytes(data) if data else _BACK_CLOSED
        if self._connected:
            self.deliver(event)
        else:
            self._note_connected()
            self._following = event
            self.deliver(_BACK_CONNECTED)

    def _note_connected(self) -> None:
        self._connected = True
        self.course.connected_at = self.context.reactor.now
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _back_broke(self, problem: OSError) -> None:
        if self._connected:
            self.deliver(_BACK_CLOSED)
            return
        self._note_connect_failure(problem)
        if not self._try_another():
            self.deliver(BackFailed(_failure_of(problem)))

    def _note_connect_failure(self, problem: OSError) -> None:
        self._log("error", f"connect() failed ({described(problem)})", ACTIONS[State.CONNECTING])

    def _flush_back(self) -> None:
        out = self._back_out
        try:
            sent = write(self._back, out)
        except BlockingIOError:
            sent = 0
        except OSError as problem:
            if self._connected:
                # why it broke, or its last words, will be read
                self._back_out = b""
            else:
                self._back_broke(problem)
            return
        if sent == len(out):
            self._back_out = b""
        else:
            self._back_out = out[sent:]
            self.context.reactor.change(self._back, READ | WRITE)


@lru_cache(maxsize=1024)
def _destination(address: str, port: int) -> tuple[Address, str]:
    """Remembered, because thousands of sessions are of the same few mail servers."""
    return address_of(address, port), shown_address(address, port)


@lru_cache(maxsize=1024)
def _is_name(place: str) -> bool:
    return not place.startswith("unix:") and not is_ip_address(place)


def _failure_of(problem: OSError) -> CloseReason:
    if problem.errno == errno.ETIMEDOUT:
        return CloseReason.BACKEND_TIMEOUT
    return CloseReason.BACKEND_REFUSED
