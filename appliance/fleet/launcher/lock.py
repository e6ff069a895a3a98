"""See to it that a state directory has one launcher."""

import fcntl
import os
from pathlib import Path
from types import TracebackType


class AlreadyRunning(Exception):
    """Another launcher holds the state directory."""


class NotWritable(Exception):
    """The state directory is not ours to write to."""


class StateLock:
    """Hold a state directory for as long as this process lives.

    The kernel drops the lock with the process, however that ends: there is no stale lock file.
    """

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "run.lock"
        self._handle = -1

    def __enter__(self) -> "StateLock":
        # not inherited by children (PEP 446): a surviving one must not hold the lock
        try:
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise NotWritable(f"{self._path}: {error.strerror}") from None
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._handle, 32).decode("ascii", "replace").strip()
            os.close(self._handle)
            raise AlreadyRunning(holder or "?") from None
        os.ftruncate(self._handle, 0)
        os.write(self._handle, f"{os.getpid()}\n".encode())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._handle)
