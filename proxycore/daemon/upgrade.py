"""Replacing the program while it runs: nginx's USR2, WINCH, QUIT (ADR-0004).

    old                                   new
     │ USR2: pid file to .oldbin, start ──► │  takes the listening sockets
     │                                      │  reads the configuration, starts workers
     │ ◄──────────────────────────── ready ─│  both serve
     │ closes its control link              │
     │ ── released ───────────────────────► │  speaks for the node from now on
     │ QUIT: stops accepting, hangs up ───► │  serves alone, owns the names of unix sockets
     │ ends after its last session          │

If it is the new one that is told to QUIT, or that ends in any other way, the old one takes its name
and its link back: it has never stopped serving.
"""

import asyncio
import contextlib
from typing import Protocol

from proxycore.daemon.handover import Predecessor, Successor
from proxycore.daemon.logs import ErrorLogs
from proxycore.daemon.notify import notify
from proxycore.daemon.supervisor import Supervisor
from proxycore.daemon.tasks import spawn


class Mode(Protocol):
    """The part of life.Mode that concerns two programs at once."""

    supervisor: Supervisor

    async def speak(self) -> None:
        """Be the one that speaks for the node."""

    async def fall_silent(self) -> None:
        """Stop speaking for the node: another program does."""


class Upgrade:
    """This process between the one before it and the one after it."""

    def __init__(self, mode: Mode, logs: ErrorLogs, predecessor: Predecessor | None) -> None:
        self._mode = mode
        self._logs = logs
        self._predecessor = predecessor
        self._successor: Successor | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._leaving = False
        if predecessor is not None:
            mode.supervisor.inherit(predecessor.sockets, predecessor.ticket_secret)
            mode.supervisor.share_names(True)

    async def take_over(self) -> None:
        """Speak for the node, once the predecessor (if there is one) does no more."""
        if self._predecessor is not None:
            waiting = spawn(self._predecessor.take_over(), name="take over")
            self._tasks.append(waiting)
            await waiting
            self._tasks.append(spawn(self._outlive(self._predecessor), name="predecessor"))
        if not self._leaving:
            await self._mode.speak()
            notify("READY=1")

    async def _outlive(self, predecessor: Predecessor) -> None:
        await predecessor.left()
        if self._leaving:
            return
        self._predecessor = None
        predecessor.close()
        self._mode.supervisor.share_names(False)
        self._logs.write("notice", f"process {predecessor.pid} does not accept sessions any more")

    def begin(self) -> None:
        """Start a successor; what goes wrong with it is logged and changes nothing."""
        supervisor = self._mode.supervisor
        if self._predecessor is not None or self._successor is not None or self._leaving:
            self._logs.write(
                "notice",
                "the changing binary signal is ignored: you should shutdown or terminate "
                "before either old or new binary's process",
            )
            return
        supervisor.pid_file.step_aside()
        try:
            self._successor = Successor()
        except OSError as error:
            supervisor.pid_file.step_back()
            self._logs.write("alert", f"starting a new program failed: {error}")
            return
        supervisor.share_names(True)
        self._logs.write("notice", f"start new binary process {self._successor.pid}")
        self._tasks.append(spawn(self._accompany(self._successor), name="successor"))

    async def _accompany(self, successor: Successor) -> None:
        with contextlib.suppress(OSError):
            supervisor = self._mode.supervisor
            await successor.hand_over(supervisor.sockets, supervisor.ticket_secret)
            if await successor.is_ready():
                self._logs.write("notice", f"new binary process {successor.pid} serves")
                await self._mode.fall_silent()
                await successor.release()
                await successor.left()
        if not self._leaving:
            await self._take_back()
        status = await successor.ended()
        self._successor = None
        successor.close()
        how = f"exited on signal {-status}" if status < 0 else f"exited with code {status}"
        self._logs.write("alert", f"new binary process {successor.pid} {how}")

    async def _take_back(self) -> None:
        """Be the one and only again, also while a successor still finishes its sessions."""
        self._mode.supervisor.share_names(False)
        self._mode.supervisor.pid_file.step_back()
        await self._mode.speak()

    async def step_down(self) -> None:
        """Leave everything to the successor or, going back, to the predecessor: a drain begins."""
        self._leaving = True
        if self._successor is not None:
            notify(f"MAINPID={self._successor.pid}")
        for other in (self._successor, self._predecessor):
            if other is not None:
                await self._mode.fall_silent()
                other.let_go()

    async def close(self) -> None:
        """End with what there is; a successor goes on."""
        self._leaving = True
        if self._successor is not None:
            notify(f"MAINPID={self._successor.pid}")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._predecessor is not None:
            self._predecessor.close()
        if self._successor is not None:
            self._successor.close()
