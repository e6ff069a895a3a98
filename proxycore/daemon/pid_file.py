"""The file with the supervisor's process id, for init systems and for people."""

import os
from pathlib import Path
from typing import Final

from proxycore.daemon.logs import ErrorLogs
from proxycore.daemon.state import write_atomically

OLD_SUFFIX: Final = ".oldbin"
"""Put behind the name while a successor has the name itself (nginx's ngx_oldpid)."""


class PidFile:
    """At most one file, which goes when the process ends. What fails is logged, never raised."""

    def __init__(self, logs: ErrorLogs) -> None:
        self._logs = logs
        self._wanted: Path | None = None
        self._file: Path | None = None
        self._is_aside = False

    def use(self, name: str) -> None:
        """Have the file under this name ("": none), and under no other."""
        wanted = Path(name) if name else None
        if wanted == self._wanted and (wanted is None or self._file is not None):
            return
        self.remove()
        self._wanted = wanted
        if wanted is None:
            return
        file = self._place(wanted)
        try:
            write_atomically(file, f"{os.getpid()}\n".encode(), mode=0o644)
            self._file = file
        except OSError as error:
            self._complain("error", "open", file, error)

    def step_aside(self) -> None:
        """Leave the name to a successor."""
        self._is_aside = True
        self._move()

    def step_back(self) -> None:
        """Take the name again: there is no successor."""
        self._is_aside = False
        self._move()

    def remove(self) -> None:
        """Remove the file, unless another process has the name by now."""
        if self._file is None:
            return
        try:
            if self._file.read_text() == f"{os.getpid()}\n":
                self._file.unlink()
        except OSError as error:
            self._complain("alert", "unlink", self._file, error)
        self._file = None

    def _place(self, wanted: Path) -> Path:
        return wanted.with_name(wanted.name + OLD_SUFFIX) if self._is_aside else wanted

    def _move(self) -> None:
        if self._file is None or self._wanted is None:
            return
        target = self._place(self._wanted)
        try:
            self._file.rename(target)
            self._file = target
        except OSError as error:
            self._complain("alert", "rename", self._file, error)

    def _complain(self, level: str, call: str, file: Path, error: OSError) -> None:
        self._logs.write(level, f'{call}() "{file}" failed ({error.errno}: {error.strerror})')
