"""The access logs: one JSON object per line and session, to files and syslog servers.

Files are written by a thread of their own: a disk that is slow, or stands still, delays neither the
supervisor nor, behind it, a worker. What waits is bounded; beyond that, records are dropped and
counted. A reopening (USR1) goes the same way as the lines, so what came before it is in the old
file, what comes after in the new one, and no line is in two.
"""

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from proxycore.contract.messages import SettingProblem
from proxycore.contract.process import SYSLOG, AccessLog, ErrorLog
from proxycore.contract.snapshot import Snapshot
from proxycore.daemon.access_lines import wanted_logs
from proxycore.daemon.syslog import Syslog

MAX_WAITING_BYTES: Final = 16 * 1024 * 1024
"""Records that wait for their files, some 30,000 of them."""

CLOSE_S: Final = 2.0
"""How long the end of the daemon waits for what is still to be written."""

_MODE = 0o640
_LEVEL = "info"  # nginx's for access logs

Tell = Callable[[str, str], None]
"""Writes to the error log: level, message."""


class _File:
    """An open file; used by the writing thread alone, once it is known there."""

    def __init__(self, target: str) -> None:
        """Raises OSError."""
        self.target = target
        self.fd = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
        self._is_torn = False

    def write(self, data: bytes) -> str:
        """Write whole lines; give what went wrong, or nothing."""
        if self._is_torn:
            # a full disk took half a line: it must not swallow the next one
            data = b"\n" + data
        left = data
        try:
            while left:
                left = left[os.write(self.fd, left) :]
        except OSError as error:
            if len(left) != len(data):
                self._is_torn = not data[: len(data) - len(left)].endswith(b"\n")
            return f'write() to "{self.target}" failed ({error.errno}: {error.strerror})'
        self._is_torn = False
        return ""


class Writer:
    """The thread, and what waits for it. Everything but ``_run`` is called by one other thread."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._todo: deque[tuple[_File, bytes]] = deque()
        self._changed = threading.Condition()
        self._waiting_bytes = 0
        self._failure = ""
        self._thread: threading.Thread | None = None
        self._is_closing = False

    def write(self, file: _File, data: bytes) -> bool:
        """Have lines written; False when too much waits already."""
        with self._changed:
            if self._waiting_bytes + len(data) > self._most_bytes:
                return False
            self._put(file, data)
        return True

    def close_file(self, file: _File) -> None:
        """Have a file closed when all that was to be written to it has been."""
        with self._changed:
            self._put(file, b"")

    def _put(self, file: _File, data: bytes) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="access logs", daemon=True)
            self._thread.start()
        self._todo.append((file, data))
        self._waiting_bytes += len(data)
        self._changed.notify()

    def take_failure(self) -> str:
        """Give what went wrong last, once."""
        failure, self._failure = self._failure, ""
        return failure

    def close(self, within_s: float) -> bool:
        """End the thread when everything is written; False when that took too long."""
        thread, self._thread = self._thread, None
        if thread is None:
            return True
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        thread.join(within_s)
        return not thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._todo and not self._is_closing:
                    self._changed.wait()
                if not self._todo:
                    return
                file, data = self._todo.popleft()
                while data and self._todo and self._todo[0][0] is file and self._todo[0][1]:
                    data += self._todo.popleft()[1]
            if not data:
                os.close(file.fd)
                continue
            failure = file.write(data)
            with self._changed:
                self._waiting_bytes -= len(data)
                self._failure = failure or self._failure


class AccessLogs:
    """The targets of a configuration."""

    def __init__(self, tell: Tell, *, most_bytes: int = MAX_WAITING_BYTES) -> None:
        self._tell = tell
        self._wanted: dict[str, tuple[AccessLog, ...]] = {"": ()}
        self._files: dict[str, _File] = {}
        self._syslogs: dict[AccessLog, Syslog] = {}
        self._troubled: set[str] = set()
        """Targets that something went wrong with, which has been told."""
        self._dropped: dict[str, int] = {}
        self._writer = Writer(most_bytes)
        self._most_bytes = most_bytes
        self._hostname = socket.gethostname()

    # --- configurations -----------------------------------------------------------------------

    def prepare(self, snapshot: Snapshot) -> list[SettingProblem]:
        """Open what this snapshot names and is not open yet; says what cannot be opened."""
        problems: list[SettingProblem] = []
        for path, log in logs_of(snapshot):
            try:
                if log.target.startswith(SYSLOG):
                    if log not in self._syslogs:
                        self._syslogs[log] = Syslog(_as_error_log(log), self._hostname)
                elif log.target not in self._files:
                    self._files[log.target] = _File(log.target)
            except OSError as error:
                text = f'open() "{log.target}" failed ({error.errno}: {error.strerror})'
                if isinstance(error, socket.gaierror):
                    text = f'host not found in syslog server "{log.target.removeprefix(SYSLOG)}"'
                problems.append(SettingProblem(path=f"{path}.target", message=text))
        return problems

    def use(self, snapshot: Snapshot) -> None:
        """Write to these from now on; ``prepare`` has opened them."""
        self._wanted = wanted_logs(snapshot)

    def settle(self) -> None:
        """Close what is not written to: a former snapshot's, or of one that is not taken."""
        named = {log for logs in self._wanted.values() for log in logs}
        targets = {log.target for log in named}
        for target in [target for target in self._files if target not in targets]:
            self._writer.close_file(self._files.pop(target))
        for log in [log for log in self._syslogs if log not in named]:
            self._syslogs.pop(log).close()

    def reopen(self) -> None:
        """Open every file again by its name: the old one has been rotated away."""
        for target, old in list(self._files.items()):
            try:
                self._files[target] = _File(target)
            except OSError as error:
                # the old file is better than none
                text = f'reopening "{target}" failed ({error.errno}: {error.strerror})'
                self._tell("crit", text)
                continue
            self._writer.close_file(old)

    def close(self) -> None:
        """Write what waits, and close everything."""
        self._wanted = {"": ()}
        self.settle()
        if not self._writer.close(CLOSE_S):
            self._tell("alert", "access log records are lost: their files take too long")
        elif failure := self._writer.take_failure():
            self._tell("alert", failure)
        self._writer = Writer(self._most_bytes)

    # --- records ------------------------------------------------------------------------------

    def write(self, server: str, lines: bytes, dropped: int = 0) -> None:
        """Write whole lines of a server block's sessions.

        dropped: records that did not even get here.
        """
        wanted = self._wanted.get(server, self._wanted[""])
        if dropped and wanted:
            self._tell("warn", f"{dropped} access log records were dropped by a worker")
        for log in wanted if lines else ():
            if log in self._syslogs:
                self._send(log, lines)
            else:
                self._put(self._files[log.target], lines)
        if failure := self._writer.take_failure():
            self._tell_once(failure, failure)

    def _put(self, file: _File, lines: bytes) -> None:
        target = file.target
        lost = self._dropped.get(target, 0)
        if not self._writer.write(file, lines):
            self._dropped[target] = lost + lines.count(b"\n")
            if not lost:
                self._tell("warn", f'access log "{target}" is too slow: records are dropped')
        elif lost:
            del self._dropped[target]
            self._tell("warn", f'{lost} records of the access log "{target}" were dropped')

    def _send(self, log: AccessLog, lines: bytes) -> None:
        now, syslog = time.time(), self._syslogs[log]
        for line in lines.decode("ascii").split("\n")[:-1]:
            problem = syslog.send(_LEVEL, now, line)
            if problem:
                self._tell_once(log.target, f'send() to "{log.target}" failed ({problem})')
            else:
                self._troubled.discard(log.target)

    def _tell_once(self, what: str, text: str) -> None:
        if what not in self._troubled:
            self._troubled.add(what)
            self._tell("alert", text)


def logs_of(snapshot: Snapshot) -> list[tuple[str, AccessLog]]:
    """Give the logs that something is written to, by the setting that names each."""
    named = [(f"process.access_logs[{i}]", x) for i, x in enumerate(snapshot.process.access_logs)]
    for i, server in enumerate(snapshot.servers):
        named += [(f"servers[{i}].access_logs[{j}]", x) for j, x in enumerate(server.access_logs)]
    wanted = {log for logs in wanted_logs(snapshot).values() for log in logs}
    return [(path, log) for path, log in named if log in wanted]


def _as_error_log(log: AccessLog) -> ErrorLog:
    return ErrorLog(
        target=log.target,
        level=_LEVEL,
        syslog_facility=log.syslog_facility,
        syslog_tag=log.syslog_tag,
        syslog_hostname=log.syslog_hostname,
    )
