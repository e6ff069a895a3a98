"""The error logs: nginx's line format, several targets, each with its own level.

Server blocks may have logs of their own; what a session of theirs writes goes there instead.

    2026/11/22 10:24:55 [info] 995#0: *1 client logged in, client: 127.0.0.1, …

Only the supervisor writes; workers send it their lines, so that reopening after a rotation (USR1)
is one act, and needs no right that a worker has given up.
"""

import contextlib
import os
import socket
import time
import traceback
from collections.abc import Iterable, Iterator
from typing import Final

from proxycore.contract.messages import SettingProblem
from proxycore.contract.process import SYSLOG, ErrorLog
from proxycore.contract.snapshot import Snapshot
from proxycore.daemon import access_logs
from proxycore.daemon.access_logs import AccessLogs
from proxycore.daemon.syslog import Syslog
from proxycore.net.log import LEVELS, escaped

DEFAULT_LOGS: Final = (ErrorLog(target="stderr", level="notice"),)
"""Where messages go when the configuration names no log."""

Line = tuple[str, float, str, str]
"""Level, seconds since the epoch, message, and the server block it is of ("": none)."""

_MODE = 0o640
_STDERR_FD = 2


def threshold(logs: Iterable[ErrorLog]) -> int:
    """Give the severity number of the chattiest log: nothing beyond it needs to be composed."""
    return max(LEVELS[log.level] for log in (tuple(logs) or DEFAULT_LOGS))


def traceback_line(error: BaseException) -> str:
    """Give a traceback as one line: an event is a line, whatever happened."""
    return "".join(traceback.format_exception(error)).strip().replace("\n", "\\n")


class ErrorLogs:
    """The open log targets, those of the access logs among them. At first there is stderr only."""

    def __init__(self) -> None:
        self._wanted: dict[str, tuple[ErrorLog, ...]] = {"": DEFAULT_LOGS}
        """By name of a server block; "" is everything else."""
        self._files: dict[str, int] = {}
        self._syslogs: dict[ErrorLog, Syslog] = {}
        self._silent: set[ErrorLog] = set()
        """Syslog servers whose last message could not be sent, which has been told."""
        self._written_second = -1
        self._stamp = ""
        self._hostname = socket.gethostname()
        self.access = AccessLogs(self.write)

    def prepare(self, snapshot: Snapshot) -> list[SettingProblem]:
        """Open what ``snapshot`` names beyond what is open, without using it yet."""
        problems: list[SettingProblem] = []
        for path, log in _named(snapshot):
            try:
                self._open(log)
            except OSError as error:
                problems.append(SettingProblem(path=f"{path}.target", message=_explain(log, error)))
        return [*problems, *self.access.prepare(snapshot)]

    def try_out(self, snapshot: Snapshot) -> list[SettingProblem]:
        """Say what ``prepare`` would; no file stays that was not there before."""
        named = {log.target for _, log in _named(snapshot)}
        named |= {log.target for _, log in access_logs.logs_of(snapshot)}
        absent = [target for target in named if not os.path.lexists(target)]
        problems = self.prepare(snapshot)
        self.settle()
        for target in absent:
            with contextlib.suppress(OSError):
                if not os.stat(target).st_size:
                    os.unlink(target)
        return problems

    def _open(self, log: ErrorLog) -> None:
        if log.target.startswith(SYSLOG):
            if log not in self._syslogs:
                self._syslogs[log] = Syslog(log, self._hostname)
        elif log.target != "stderr" and log.target not in self._files:
            self._files[log.target] = _open(log.target)

    def use(self, snapshot: Snapshot) -> None:
        """Write to these from now on (``prepare`` has opened them); close what is not named."""
        self._wanted = {server.name: server.error_logs for server in snapshot.servers}
        self._wanted = {name: logs for name, logs in self._wanted.items() if logs}
        self._wanted[""] = snapshot.process.error_logs or DEFAULT_LOGS
        self.access.use(snapshot)
        self.settle()

    def settle(self) -> None:
        """Take back a ``prepare`` that is not followed by ``use``."""
        named = {log for logs in self._wanted.values() for log in logs}
        files = {log.target for log in named}
        for target in [target for target in self._files if target not in files]:
            os.close(self._files.pop(target))
        for log in [log for log in self._syslogs if log not in named]:
            self._syslogs.pop(log).close()
        self._silent &= named
        self.access.settle()

    def reopen(self) -> None:
        """Open every file again by its name: the old one has been rotated away."""
        self.access.reopen()
        for target, fd in list(self._files.items()):
            try:
                self._files[target] = _open(target)
            except OSError as error:
                # the old file is better than none
                self.write("crit", f'reopening "{target}" failed ({error.errno}: {error.strerror})')
                continue
            os.close(fd)

    def write(self, level: str, message: str) -> None:
        """Write one event of the supervisor itself."""
        self.write_lines(os.getpid(), [(level, time.time(), message, "")])

    def write_lines(self, pid: int, lines: Iterable[Line]) -> None:
        """Write events."""
        texts: dict[str, list[str]] = {}
        for level, at, message, server in lines:
            line = f"{self._time(at)} [{level}] {pid}#0: {escaped(message)}"
            severity = LEVELS[level]
            told: set[ErrorLog | str] = set()
            for log in self._wanted.get(server) or self._wanted[""]:
                if severity > LEVELS[log.level] or log in told:
                    continue
                told.add(log)
                if log in self._syslogs:
                    self._send(log, level, at, line)
                elif log.target not in told:
                    told.add(log.target)
                    texts.setdefault(log.target, []).append(f"{line}\n")
        for target, parts in texts.items():
            fd = self._files.get(target, _STDERR_FD)
            _write_all(fd, "".join(parts).encode("utf-8", "backslashreplace"))

    def _send(self, log: ErrorLog, level: str, at: float, line: str) -> None:
        problem = self._syslogs[log].send(level, at, line)
        if not problem:
            self._silent.discard(log)
        elif log not in self._silent:
            # told once per outage, and not to the server that is away
            self._silent.add(log)
            text = f'send() to "{log.target}" failed ({problem})'
            stamped = f"{self._time(at)} [alert] {os.getpid()}#0: {text}\n"
            fds = {
                self._files.get(other.target, _STDERR_FD)
                for other in self._wanted[""]
                if other not in self._syslogs
            } or {_STDERR_FD}
            for fd in fds:
                _write_all(fd, stamped.encode())

    def _time(self, at: float) -> str:
        second = int(at)
        if second != self._written_second:
            self._written_second = second
            self._stamp = time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(second))
        return self._stamp

    def close(self) -> None:
        """Close the files; what follows goes to stderr."""
        self.access.close()
        self._wanted = {"": DEFAULT_LOGS}
        self.settle()


def _named(snapshot: Snapshot) -> Iterator[tuple[str, ErrorLog]]:
    for i, log in enumerate(snapshot.process.error_logs):
        yield f"process.error_logs[{i}]", log
    for i, server in enumerate(snapshot.servers):
        for j, log in enumerate(server.error_logs):
            yield f"servers[{i}].error_logs[{j}]", log


def _explain(log: ErrorLog, error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f'host not found in syslog server "{log.target.removeprefix(SYSLOG)}"'
    return f'open() "{log.target}" failed ({error.errno}: {error.strerror})'


def _open(target: str) -> int:
    return os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)


def _write_all(fd: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(fd, data) :]
        except OSError:
            # a full disk or a closed stderr: there is no better place to say so
            return
