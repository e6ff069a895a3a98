"""A worker process: reactor and engine at work, and the pipe from them to the supervisor.

Started as ``python -m proxycore.daemon.worker FD``; everything else arrives as frames (see
``frames``), read by the same reactor that serves the sessions. The heartbeat is sent by that
reactor too, so a loop that hangs falls silent.

Everything is imported before rights are dropped: afterwards the code may be unreadable.
"""

import encodings.idna
import faulthandler
import ipaddress
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from proxycore.contract.binding import bindings
from proxycore.contract.codec import encode
from proxycore.contract.reasons import CloseReason
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import Snapshot, from_plain
from proxycore.daemon.access_lines import AccessLines
from proxycore.daemon.frames import BrokenStream, Decoder, Message, Outbox, receive
from proxycore.daemon.logs import DEFAULT_LOGS, Line, threshold, traceback_line
from proxycore.daemon.privileges import DUMP_SIGNAL, Identity, drop
from proxycore.daemon.shared_tls import SharedTls, import_tls
from proxycore.net.engine import Engine
from proxycore.net.log import LEVELS
from proxycore.net.reactor import READ, WRITE, Reactor
from proxycore.net.waiting import Surveyed

IMPORTED_EARLY: Final = (encodings.idna, ipaddress)
"""What the standard library would otherwise import on first use, after rights were dropped."""

REPORT_S: Final = 1.0
"""How often a worker reports; the supervisor replaces one that misses ten."""

PER_REPORT: Final = 250
"""Changes of each kind in one report; more become several reports."""

MAX_UNSENT_BYTES: Final = 4 * 1024 * 1024
"""What may wait for a supervisor that does not read, before reports and lines are held back."""

MAX_LINES: Final = 10_000
"""Log lines that may wait; more are counted and the count is logged."""

_IGNORED: Final = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
_POLL_S = 0.05
_STOP_GRACE_S = 0.5


class WorkerLog:
    """Collect log lines until the loop has a moment to send them."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.threshold = threshold(DEFAULT_LOGS)
        self._wake = wake
        self._lines: list[Line] = []
        self._dropped = 0
        self._of: dict[str, ServerLog] = {}

    def of(self, server: str) -> "ServerLog":
        """Give the log of a server block; the same one as long as the worker lives."""
        return self._of.setdefault(server, ServerLog(self, server, self.threshold))

    def use(self, snapshot: Snapshot) -> None:
        """Want what the logs of this snapshot want."""
        self.threshold = threshold(snapshot.process.error_logs)
        named = {server.name: server.error_logs for server in snapshot.servers}
        for name in {*self._of, *named}:
            logs = named.get(name, ())
            self.of(name).threshold = threshold(logs) if logs else self.threshold

    def write(self, level: str, message: str) -> None:
        """Write one event; cheap when no target wants its level."""
        if LEVELS[level] <= self.threshold:
            self.put(level, message, "")

    def put(self, level: str, message: str, server: str) -> None:
        """Queue a line that is wanted, of a server block or ("") of none."""
        if len(self._lines) >= MAX_LINES:
            self._dropped += 1
            return
        self._lines.append((level, time.time(), message, server))
        if len(self._lines) == 1:
            self._wake()

    def take(self) -> list[Line]:
        """Give the waiting lines."""
        lines, self._lines = self._lines, []
        if self._dropped:
            lines.append(("warn", time.time(), f"{self._dropped} log lines were dropped", ""))
            self._dropped = 0
        return lines


class ServerLog:
    """The log of one server block's sessions (net.log.Log)."""

    def __init__(self, log: WorkerLog, server: str, wanted: int) -> None:
        self.threshold = wanted
        self._log = log
        self._server = server

    def write(self, level: str, message: str) -> None:
        """Write one event; cheap when no target wants its level."""
        if LEVELS[level] <= self.threshold:
            self._log.put(level, message, self._server)


class Worker:
    """What the frames of the supervisor mean."""

    def __init__(self, pipe: socket.socket) -> None:
        pipe.setblocking(False)
        self._pipe = pipe
        self._decoder = Decoder()
        self._outbox = Outbox(pipe)
        self._reactor = Reactor()
        self._log = WorkerLog(lambda: self._later(0, self._send_lines))
        self._access = self._lines(keeps_history=False)
        self._engine: Engine | None = None
        self._tls = SharedTls()
        self._held: set[str] = set()
        self._received: dict[str, socket.socket] = {}
        self._ending = False
        self._newest_of_former = 0
        """Number of the newest session of a snapshot that the present one replaced."""
        self._reactor.on_bug = self._tell_bug

    def run(self) -> None:
        """Work until told to end, or until the supervisor is gone."""
        self._reactor.watch(self._pipe.fileno(), READ, self._pipe_ready)
        self._reactor.run()
        self._say_goodbye()

    def _lines(self, *, keeps_history: bool) -> AccessLines:
        wake = lambda: self._later(0, self._send_records)  # noqa: E731  (a callback of one line)
        return AccessLines(wake, keeps_history=keeps_history)

    def _tell_bug(self, error: Exception) -> None:
        self._log.write("alert", f"internal error: {traceback_line(error)}")

    @property
    def engine(self) -> Engine:
        """The engine; the supervisor's first frame creates it."""
        assert self._engine is not None, "start is the first frame"
        return self._engine

    def _later(self, delay_s: float, act: Callable[[], None]) -> None:
        self._reactor.call_later(delay_s, act)

    # --- pipe ---------------------------------------------------------------------------------

    def _pipe_ready(self, _fd: int, _events: int) -> None:
        try:
            self._flush()
            data, fds = receive(self._pipe)
        except BlockingIOError:
            return
        except (OSError, BrokenStream):
            data, fds = b"", []
        if not data:
            self._orphaned()
            return
        for message, its_fds in self._decoder.feed(data, fds):
            self._handle(message, its_fds)

    def _orphaned(self) -> None:
        """End: sessions that nobody can see, count or disconnect must not go on."""
        self._reactor.forget(self._pipe.fileno())
        self._outbox.close()
        self._stop({})

    def _send(self, message: Message) -> None:
        self._outbox.put(message)
        self._flush_or_end()

    def _flush_or_end(self) -> None:
        try:
            self._flush()
        except OSError:
            # gone; the read side notices, too, and ends the worker
            self._outbox.close()

    def _flush(self) -> None:
        waiting = READ if self._outbox.flush() else READ | WRITE
        self._reactor.change(self._pipe.fileno(), waiting)

    def _send_lines(self) -> None:
        if self._outbox.pending_bytes > MAX_UNSENT_BYTES:
            self._later(REPORT_S, self._send_lines)
            return
        lines = self._log.take()
        if lines:
            self._send({"type": "log", "lines": lines})

    def _send_records(self) -> None:
        if self._outbox.pending_bytes > MAX_UNSENT_BYTES:
            self._later(REPORT_S, self._send_records)
            return
        self._put_records()
        self._flush_or_end()

    def _put_records(self) -> None:
        for server, lines, dropped in self._access.take():
            self._outbox.put({"type": "access", "server": server, "dropped": dropped}, (), lines)
        refusals, dropped = self._access.refusals.take()
        if refusals or dropped:
            self._outbox.put({"type": "refusals", "dropped": dropped}, (), refusals)

    def _report(self) -> None:
        if self._outbox.pending_bytes <= MAX_UNSENT_BYTES:
            for report in self._reports():
                self._send(report)
        self._later(REPORT_S, self._report)

    def _reports(self) -> Iterator[Message]:
        """Give what there is to tell, in pieces, the first of which has the totals.

        One piece of all that thousands of logins a second leave would, while it is composed and
        read, take more memory than the sessions do.
        """
        ledger = self.engine.ledger
        changes = ledger.take_changes()
        counts, histograms = ledger.totals()
        gauges = ledger.gauges()
        totals: Message | None = {"counts": counts, "gauges": gauges, "histograms": histograms}
        for opened, counted, closed in in_pieces(*changes):
            yield {
                "type": "report",
                "totals": totals,
                "opened": encode(opened),
                "counted": encode(counted),
                "closed": closed,
            }
            totals = None

    # --- frames -------------------------------------------------------------------------------

    def _handle(self, message: Message, fds: list[int]) -> None:
        acts: dict[str, Callable[[Message], Any]] = {
            "start": self._start,
            "apply": self._apply,
            "invalidate": self._invalidate,
            "kick": self._kick,
            "token": self._renew_token,
            "tickets": self._renew_tickets,
            "retire": self._retire,
            "drain": self._drain,
            "stop": self._stop,
        }
        if message["type"] == "sockets":
            self._take_sockets(message["keys"], fds)
            return
        if message["type"] == "zones":
            self._tls.take_zones(message["names"], message["sizes"], fds)
            return
        if message["type"] == "survey":
            self.engine.survey(message["most"], partial(self._surveyed, message["n"]))
            return
        if message["type"] == "turn_away":
            self.engine.turn_away(message["address"], partial(self._done, message["n"]))
            return
        try:
            affected, problem = acts[message["type"]](message) or 0, ""
        except Exception as error:  # noqa: BLE001  (a frame's outermost: our bug, told once)
            self._tell_bug(error)
            affected, problem = 0, f"internal error: {type(error).__name__}"
        if "n" in message:
            self._done(message["n"], affected, problem)

    def _done(self, n: int, affected: int, problem: str = "") -> None:
        self._send({"type": "done", "n": n, "affected": affected, "problem": problem})

    def _surveyed(self, n: int, found: Surveyed) -> None:
        self._send({"type": "done", "n": n, "affected": 0, "problem": "", "told": encode(found)})

    def _start(self, message: Message) -> None:
        if message["identity"] is not None:
            identity = message["identity"]
            import_tls()
            drop(
                Identity(uid=identity["uid"], gid=identity["gid"], groups=tuple(identity["groups"]))
            )
        token = message["node_token"]
        self._access = self._lines(keeps_history=message["keeps_history"])
        self._engine = Engine(
            self._reactor,
            boot_id=message["boot_id"],
            hostname=message["hostname"],
            log=self._log,
            log_of=self._log.of,
            access_of=self._access.of,
            node_token=Secret(token) if token else None,
        )
        self.engine.invalidate(message["generation"])
        self._later(REPORT_S, self._report)

    def _take_sockets(self, keys: list[str], fds: list[int]) -> None:
        for key, fd in zip(keys, fds, strict=True):
            sock = socket.socket(fileno=fd)
            sock.setblocking(False)
            if key in self._held or key in self._received:
                sock.close()
            else:
                self._received[key] = sock

    def _apply(self, message: Message) -> None:
        snapshot = from_plain(message["snapshot"])
        first = not self._held
        sockets, self._received = self._received, {}
        self._log.use(snapshot)
        self._access.use(snapshot)
        newest = self.engine.newest
        self._tls.share_rates(self.engine)
        self._tls.use(self.engine, snapshot, message["zones"], message["tickets"])
        self.engine.apply(snapshot, sockets)
        self._newest_of_former = newest
        self._held = set(bindings(snapshot))
        if first:
            self.engine.settle_memory()

    def _invalidate(self, message: Message) -> None:
        self.engine.invalidate(
            message["generation"],
            since=message["since"],
            logins=[login.encode("utf-8", "surrogateescape") for login in message["logins"]],
        )

    def _renew_tickets(self, message: Message) -> None:
        self._tls.renew(self.engine, message["keys"])

    def _renew_token(self, message: Message) -> None:
        self.engine.renew_token(Secret(message["node_token"]))

    def _kick(self, message: Message) -> int:
        return self.engine.kick(message["sessions"])

    # --- the end ------------------------------------------------------------------------------

    def _retire(self, message: Message) -> None:
        """Give sessions of former snapshots as long as ``worker_shutdown_timeout`` allows."""
        newest = self._newest_of_former
        self._later(message["shutdown_timeout_ms"] / 1000, lambda: self._cut(newest))

    def _drain(self, message: Message) -> None:
        if self._ending:
            return
        self._ending = True
        self.engine.stop_accepting()
        if message["shutdown_timeout_ms"]:
            self._later(message["shutdown_timeout_ms"] / 1000, self._cut)
        self._end_when_idle()

    def _cut(self, up_to: int | None = None) -> None:
        cut = self.engine.close_sessions(CloseReason.SHUTDOWN_TIMEOUT, up_to=up_to)
        self._log.write("info", f"shutdown timeout, {cut} sessions closed")

    def _stop(self, _message: Message) -> None:
        self._ending = True
        if self._engine is None:
            self._reactor.stop()
            return
        self._engine.stop_accepting()
        self._engine.close_sessions(CloseReason.SHUTDOWN)
        self._later(_STOP_GRACE_S, self._reactor.stop)
        self._end_when_idle()

    def _end_when_idle(self) -> None:
        if self.engine.open_count:
            self._later(_POLL_S, self._end_when_idle)
        else:
            self._reactor.stop()

    def _say_goodbye(self) -> None:
        """Send the last totals: after this the supervisor's books are exact."""
        self._pipe.settimeout(_STOP_GRACE_S)
        try:
            if self._engine is not None:
                self._outbox.put({"type": "log", "lines": self._log.take()})
                self._put_records()
                for report in self._reports():
                    self._outbox.put(report)
                self._outbox.flush()
                self._engine.close()
        except OSError:
            pass
        finally:
            self._outbox.close()
            self._decoder.close()
            self._pipe.close()
            self._reactor.shut()


def in_pieces(*changes: list[Any]) -> Iterator[list[list[Any]]]:
    """Cut lists into pieces of at most ``PER_REPORT`` each, side by side; at least one of each."""
    for at in range(0, max(1, *map(len, changes)), PER_REPORT):
        yield [change[at : at + PER_REPORT] for change in changes]


def main() -> None:
    """Run as a worker on the descriptor given as the only argument."""
    faulthandler.enable()
    faulthandler.register(DUMP_SIGNAL, chain=False)
    # the supervisor alone decides when a worker ends; a terminal's Ctrl-C reaches us, too
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    Worker(socket.socket(fileno=int(sys.argv[1]))).run()


if __name__ == "__main__":
    main()
