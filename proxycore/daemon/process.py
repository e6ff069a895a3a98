"""A worker as the supervisor sees it: a process, a pipe, questions without an answer yet."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from proxycore.contract.session import SessionBytes, SessionRecord
from proxycore.daemon import compiled
from proxycore.daemon.frames import (
    MAX_FDS,
    BrokenStream,
    Decoder,
    Message,
    Outbox,
    Passable,
    receive,
)
from proxycore.daemon.logs import Line
from proxycore.daemon.privileges import DUMP_SIGNAL
from proxycore.daemon.ticket_keys import Keys
from proxycore.daemon.totals import WorkerTotals
from proxycore.daemon.zones import ZoneFile

_SIGNALS_OF_OURS: Final = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
    DUMP_SIGNAL,
)
_STDERR_BYTES = 65_536
_SHARED: Final = ("server", "protocol", "client", "listen", "backend", "tls")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A worker's answer. ``lost``: it died first, and nothing can be said of what it did."""

    affected: int = 0
    problem: str = ""
    told: dict[str, Any] | None = None
    """What was asked for, if it was more than to do something."""
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a worker has to run: the snapshot in plain form, and what it shares with others."""

    snapshot: dict[str, Any]
    sockets: Mapping[str, socket.socket]
    zones: Mapping[str, ZoneFile] = field(default_factory=dict)
    """Caches of TLS sessions by name."""
    tickets: Callable[[], Keys] = list
    """Gives the ticket keys of this hour; none where nobody speaks TLS."""


class Observer(Protocol):
    """Who is told what a worker says."""

    def reported(self, worker: "WorkerProcess", message: "Report") -> None:
        """A worker is alive, with these totals and changes."""

    def logged(self, worker: "WorkerProcess", lines: list[Line]) -> None:
        """A worker has something for the error log."""

    def recorded(self, worker: "WorkerProcess", server: str, lines: bytes, dropped: int) -> None:
        """A worker has lines for the access log of a server block; some it had to drop."""

    def refused(self, worker: "WorkerProcess", lines: bytes, dropped: int) -> None:
        """A worker has lines about refused logins; some it had to drop."""

    def complained(self, worker: "WorkerProcess", text: str) -> None:
        """A worker wrote to its stderr, which only an interpreter in trouble does."""

    def gone(self, worker: "WorkerProcess", status: int) -> None:
        """The process has ended; ``status`` as subprocess gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A worker's regular report."""

    totals: WorkerTotals | None
    """None: as in the report before."""
    opened: list[SessionRecord]
    counted: list[SessionBytes]
    closed: list[str]


class WorkerProcess:
    """One running worker. Everything but ``ask`` and ``apply`` returns at once."""

    def __init__(self, serial: int, observer: Observer) -> None:
        self.serial = serial
        self.silent_ticks = 0
        """Watchdog ticks since it was last heard."""
        self.serving = False
        """It has applied a snapshot once."""
        self.leaving = False
        """It has been told to end."""
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self.started_mono = self._loop.time()
        self._replies: dict[int, asyncio.Future[Reply]] = {}
        self._asked = 0
        self._held: set[str] = set()
        self._held_zones: Mapping[str, ZoneFile] = {}
        self._decoder = Decoder()
        self._pipe, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._pipe.setblocking(False)
        self._outbox = Outbox(self._pipe)
        try:
            self._popen, self._pidfd = _spawn(theirs)
        except OSError:
            self._pipe.close()
            raise
        finally:
            theirs.close()
        assert self._popen.stderr is not None
        self._stderr = self._popen.stderr.fileno()
        os.set_blocking(self._stderr, False)
        self._loop.add_reader(self._pipe, self._readable)
        self._loop.add_reader(self._stderr, self._read_stderr)
        self._loop.add_reader(self._pidfd, self._ended)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._popen.pid

    # --- what is sent -------------------------------------------------------------------------

    def tell(self, message: Message, passed: Sequence[Passable] = ()) -> None:
        """Send a frame that has no answer."""
        self._outbox.put(message, passed)
        self._flush()

    async def ask(self, message: Message) -> Reply:
        """Send a frame and wait for its answer, or for the worker's end."""
        self._asked += 1
        reply: asyncio.Future[Reply] = self._loop.create_future()
        if self._pipe.fileno() < 0:
            return Reply(lost=True)
        self._replies[self._asked] = reply
        self.tell({**message, "n": self._asked})
        return await reply

    async def apply(self, load: Load) -> Reply:
        """Have the worker run this; only sockets it does not have are handed over."""
        missing = [key for key in load.sockets if key not in self._held]
        for start in range(0, len(missing), MAX_FDS):
            keys = missing[start : start + MAX_FDS]
            self.tell({"type": "sockets", "keys": keys}, [load.sockets[key] for key in keys])
        self._held = set(load.sockets)
        self._pass_zones(load.zones)
        message = {"type": "apply", "snapshot": load.snapshot}
        reply = await self.ask({**message, "zones": list(load.zones), "tickets": load.tickets()})
        if reply.problem:
            # what it holds now is not known; duplicates do no harm
            self._held, self._held_zones = set(), {}
        elif not reply.lost:
            self.serving = True
        return reply

    def _pass_zones(self, zones: Mapping[str, ZoneFile]) -> None:
        missing = [zone for name, zone in zones.items() if self._held_zones.get(name) is not zone]
        for start in range(0, len(missing), MAX_FDS):
            some = missing[start : start + MAX_FDS]
            names, sizes = [zone.name for zone in some], [zone.size for zone in some]
            self.tell({"type": "zones", "names": names, "sizes": sizes}, some)
        self._held_zones = dict(zones)

    def signal(self, number: int) -> None:
        """Send a signal to the process; nothing happens when it has ended."""
        self._popen.send_signal(number)

    def _flush(self) -> None:
        try:
            sent = self._outbox.flush()
        except OSError:
            self._outbox.close()
            return
        if self._pipe.fileno() < 0:
            return
        if sent:
            self._loop.remove_writer(self._pipe)
        else:
            self._loop.add_writer(self._pipe, self._flush)

    # --- what is heard ------------------------------------------------------------------------

    def _readable(self) -> None:
        try:
            data, fds = receive(self._pipe)
            for message, _ in self._decoder.feed(data, fds):
                self._handle(message)
        except BlockingIOError:
            return
        except (OSError, BrokenStream, KeyError, TypeError):
            # not to be understood any more, so not to be steered
            self._loop.remove_reader(self._pipe)
            self._popen.kill()
            return
        if not data:
            # it is about to end; should it not, it is silent, and the watchdog sees that
            self._loop.remove_reader(self._pipe)

    def _handle(self, message: Message) -> None:
        kind = message["type"]
        if kind == "done":
            reply = self._replies.pop(message["n"])
            if not reply.done():
                reply.set_result(
                    Reply(
                        affected=message["affected"],
                        problem=str(message["problem"]),
                        told=message.get("told"),
                    )
                )
        elif kind == "log":
            lines = [(level, at, text, server) for level, at, text, server in message["lines"]]
            self._observer.logged(self, lines)
        elif kind == "access":
            lines_of = message.get("octets", b"")
            self._observer.recorded(self, message["server"], lines_of, message["dropped"])
        elif kind == "refusals":
            self._observer.refused(self, message.get("octets", b""), message["dropped"])
        elif kind == "report":
            self.silent_ticks = 0
            totals = message["totals"]
            report = Report(
                totals=totals and WorkerTotals(**totals),
                opened=[_record(plain) for plain in message["opened"]],
                counted=[SessionBytes(**plain) for plain in message["counted"]],
                closed=message["closed"],
            )
            self._observer.reported(self, report)

    def _read_stderr(self) -> None:
        try:
            data = os.read(self._stderr, _STDERR_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(self._stderr)
            return
        self._observer.complained(self, data.decode("utf-8", "backslashreplace"))

    def _ended(self) -> None:
        status = self._popen.wait()
        self._hear_rest()
        self.close()
        self._observer.gone(self, status)

    def _hear_rest(self) -> None:
        """Take what the worker wrote before it ended; its last report is in there."""
        while True:
            try:
                data, fds = receive(self._pipe)
                if not data:
                    break
                for message, _ in self._decoder.feed(data, fds):
                    self._handle(message)
            except (OSError, BrokenStream, KeyError, TypeError):
                break
        self._read_stderr()

    def close(self) -> None:
        """Give back every descriptor; whoever still waits for an answer hears ``lost``."""
        for source in (self._pipe, self._stderr, self._pidfd):
            self._loop.remove_reader(source)
        self._loop.remove_writer(self._pipe)
        self._outbox.close()
        self._decoder.close()
        self._pipe.close()
        os.close(self._pidfd)
        assert self._popen.stderr is not None
        self._popen.stderr.close()
        for reply in self._replies.values():
            if not reply.done():
                reply.set_result(Reply(lost=True))
        self._replies.clear()


def _spawn(pipe: socket.socket) -> "tuple[subprocess.Popen[bytes], int]":
    """Start the interpreter anew: a fork of a process with a running loop inherits its state.

    Gives the process and its pidfd, which becomes readable at its end. Raises OSError.
    """
    # blocked until the worker has chosen what to ignore: no Ctrl-C traceback from its start
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS_OF_OURS)
    try:
        popen = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
            [sys.executable, "-P", "-m", "proxycore.daemon.worker", str(pipe.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            bufsize=0,
            pass_fds=[pipe.fileno()],
            env={**os.environ, "PYTHONPATH": compiled.search_path()},
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        return popen, os.pidfd_open(popen.pid)
    except OSError:
        popen.kill()
        popen.communicate()
        raise


def _record(plain: dict[str, Any]) -> SessionRecord:
    """Read a record; what thousands of sessions have in common is kept once, not once for each."""
    for name in _SHARED:
        plain[name] = sys.intern(plain[name])
    return SessionRecord(**plain)
