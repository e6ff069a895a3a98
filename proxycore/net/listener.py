"""A listening socket shared with other workers: accepts in small batches, never spins."""

import os
import socket
from typing import Final

from proxycore.net.arrival import Arrival
from proxycore.net.door import Door
from proxycore.net.driver import Driver
from proxycore.net.log import DEBUG, line
from proxycore.net.reactor import READ, SHARED
from proxycore.net.sockets import OUT_OF_ROOM, described, shown_address

_MOST_AT_ONCE: Final = 16
"""Connections accepted per wake-up: larger batches keep other workers idle and sessions waiting."""

_PAUSE_S: Final = 0.5
"""nginx's accept_mutex_delay: how long nothing is accepted after descriptors ran out."""


class Listener:
    """One socket and the door its connections come in by. Sessions keep the door they got."""

    __slots__ = ("_batch", "_context", "_paused", "_sock", "door")

    def __init__(self, sock: socket.socket, door: Door) -> None:
        """Takes the socket over. TCP_NODELAY set here is inherited by what is accepted."""
        self.door = door
        self._context = door.block.context
        self._sock = sock
        self._batch = 1
        self._paused = True
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.resume()

    def same_socket(self, other: socket.socket) -> bool:
        """Tell whether another descriptor is this very socket."""
        ours, theirs = os.fstat(self._sock.fileno()), os.fstat(other.fileno())
        return (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)

    def pause(self) -> None:
        """Stop accepting; connections wait in the queue, or go to another worker."""
        if not self._paused:
            self._paused = True
            # an exclusive watch cannot be changed, and the socket outlives our descriptor
            self._context.reactor.forget(self._sock.fileno())

    def resume(self) -> None:
        """Accept again."""
        if self._paused and self._sock.fileno() >= 0:
            self._paused = False
            self._context.reactor.watch(self._sock.fileno(), READ | SHARED, self._on_ready)

    def close(self) -> None:
        """Close this worker's copy."""
        self.pause()
        self._sock.close()

    def _on_ready(self, _fd: int, _events: int) -> None:
        context = self._context
        for _ in range(self._batch):
            if context.ledger.open_count >= context.limit:
                context.become_full()
                return
            try:
                # accept() would ask for the name of each new socket, which nobody needs
                fd, peer = self._sock._accept()  # type: ignore[attr-defined]  # noqa: SLF001
            except BlockingIOError:
                # somebody else was faster, or there were fewer than last time
                self._batch = max(1, self._batch // 2)
                return
            except OSError as problem:
                self._on_failure(problem)
                return
            self._begin(fd, peer)
        self._batch = min(self._batch * 2, _MOST_AT_ONCE)

    def _begin(self, fd: int, peer: object) -> None:
        try:
            os.set_blocking(fd, False)
            client = (peer[0], peer[1]) if isinstance(peer, tuple) else ("unix:", 0)
            context = self._context
            door, number = self.door, context.next_number()
            if door.covered:
                door = door.chosen(fd)
            log = door.block.log
            if log.threshold >= DEBUG:
                log.write("debug", line(number, f"accept: {shown_address(*client)} fd:{fd}"))
            waiting = len(context.drivers)
            limit = context.gate.exceeded(door.counted(client[0]), waiting)
            if limit:
                door.turn_away(number, client, fd, limit)
                return
            begin = Arrival if door.settles_first else Driver
            begin(door, fd, client, number).start()
        except Exception as bug:  # noqa: BLE001  (our bug must not end the listening)
            self._context.report_bug(bug)
            self._context.reactor.close(fd)

    def _on_failure(self, problem: OSError) -> None:
        context = self._context
        if problem.errno not in OUT_OF_ROOM:
            # the client was gone before it was accepted
            context.report("info", f"accept() failed ({described(problem)})")
            return
        context.report("crit", f"accept() failed ({described(problem)})")
        self.pause()
        context.reactor.call_later(_PAUSE_S, self._after_pause)

    def _after_pause(self) -> None:
        if not self._context.full:
            self.resume()
