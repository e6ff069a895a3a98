"""The error logs: nginx's line format, several targets, each with its own level.

    2026/11/22 10:24:55 [info] 995#0: *1 client logged in, client: 127.0.0.1, …

Only the supervisor writes; workers send it their lines, so that reopening after a rotation (USR1)
is one act, and needs no right that a worker has given up.
"""

import os
import time
import traceback
from collections.abc import Iterable
from typing import Final

from proxycore.contract.messages import SettingProblem
from proxycore.contract.snapshot import ErrorLog
from proxycore.net.log import LEVELS, escaped

DEFAULT_LOGS: Final = (ErrorLog(target="stderr", level="notice"),)
"""Where messages go when the configuration names no log."""

_MODE = 0o640
_STDERR_FD = 2


def threshold(logs: Iterable[ErrorLog]) -> int:
    """Give the severity number of the chattiest log: nothing beyond it needs to be composed."""
    return max(LEVELS[log.level] for log in (tuple(logs) or DEFAULT_LOGS))


def traceback_line(error: BaseException) -> str:
    """Give a traceback as one line: an event is a line, whatever happened."""
    return "".join(traceback.format_exception(error)).strip().replace("\n", "\\n")


class ErrorLogs:
    """The open log targets. Before any configuration is known, stderr."""

    def __init__(self) -> None:
        self._wanted: tuple[ErrorLog, ...] = DEFAULT_LOGS
        self._files: dict[str, int] = {}
        self._written_second = -1
        self._stamp = ""

    def prepare(self, logs: tuple[ErrorLog, ...]) -> list[SettingProblem]:
        """Open what ``logs`` names beyond what is open, without using it yet."""
        problems: list[SettingProblem] = []
        for i, log in enumerate(logs):
            if log.target == "stderr" or log.target in self._files:
                continue
            try:
                self._files[log.target] = _open(log.target)
            except OSError as error:
                message = f'open() "{log.target}" failed ({error.errno}: {error.strerror})'
                path = f"process.error_logs[{i}].target"
                problems.append(SettingProblem(path=path, message=message))
        return problems

    def use(self, logs: tuple[ErrorLog, ...]) -> None:
        """Write to these from now on (``prepare`` has opened them); close what is not named."""
        self._wanted = logs or DEFAULT_LOGS
        named = {log.target for log in self._wanted}
        for target in [target for target in self._files if target not in named]:
            os.close(self._files.pop(target))

    def settle(self) -> None:
        """Take back a ``prepare`` that is not followed by ``use``."""
        self.use(self._wanted)

    def reopen(self) -> None:
        """Open every file again by its name: the old one has been rotated away."""
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
        self.write_lines(os.getpid(), [(level, time.time(), message)])

    def write_lines(self, pid: int, lines: Iterable[tuple[str, float, str]]) -> None:
        """Write events, each a level, a time in seconds since the epoch and a message."""
        texts: dict[str, list[str]] = {}
        for level, at, message in lines:
            line = f"{self._time(at)} [{level}] {pid}#0: {escaped(message)}\n"
            severity = LEVELS[level]
            for target in self._targets(severity):
                texts.setdefault(target, []).append(line)
        for target, parts in texts.items():
            fd = self._files.get(target, _STDERR_FD)
            _write_all(fd, "".join(parts).encode("utf-8", "backslashreplace"))

    def _targets(self, severity: int) -> set[str]:
        return {log.target for log in self._wanted if severity <= LEVELS[log.level]}

    def _time(self, at: float) -> str:
        second = int(at)
        if second != self._written_second:
            self._written_second = second
            self._stamp = time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(second))
        return self._stamp

    def close(self) -> None:
        """Close the files; what follows goes to stderr."""
        self.use(DEFAULT_LOGS)


def _open(target: str) -> int:
    return os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)


def _write_all(fd: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(fd, data) :]
        except OSError:
            # a full disk or a closed stderr: there is no better place to say so
            return
