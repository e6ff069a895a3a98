"""One started program: a directory, a log, a process group, and an end."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.wait import eventually

STOP_WITHIN_S = 10.0

running: "list[Program]" = []
"""Every program now running; tests/support/failure_logs.py shows their logs on a failure."""


class Program:
    """Base of the fixtures: owns a temporary directory and one foreground process in it.

    A subclass writes its configuration and says in ``start`` what to run. Used as a context
    manager it starts and stops; both may also be called by hand.
    """

    name = "program"
    address = "127.0.0.1"
    """Where its ports are looked for."""

    def __init__(self) -> None:
        # world-readable: servers that drop privileges must be able to walk into it
        self.directory = Path(tempfile.mkdtemp(prefix=f"postroad-{self.name}-"))
        self.directory.chmod(0o755)
        self.process: subprocess.Popen[bytes] | None = None
        self.console = self.directory / "console.log"
        self._shown: dict[Path, int] = {}

    # --- life -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start and wait until it serves."""
        raise NotImplementedError

    def launch(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Run ``argv`` in the foreground, in its own process group, output to ``console.log``."""
        if self.is_running():
            raise RuntimeError(f"{self.name} runs already")
        with self.console.open("ab") as console:
            self.process = subprocess.Popen(
                argv,
                cwd=cwd or self.directory,
                env=None if env is None else dict(env),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        running.append(self)

    def is_running(self) -> bool:
        """Tell whether the process is there."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of what was launched."""
        assert self.process is not None, f"{self.name} was not started"
        return self.process.pid

    def wait_for_port(self, port: int, *, within_s: float = 20.0) -> None:
        """Wait until somebody accepts on a loopback port; fail at once if the process ended."""
        eventually(
            lambda: self.answers(port), f"{self.name} accepts on port {port}", within_s=within_s
        )

    def answers(self, port: int) -> bool:
        """Tell whether its port accepts; raises when the process is gone."""
        self.check_alive()
        with contextlib.suppress(OSError), socket.create_connection((self.address, port), 1):
            return True
        return False

    def check_alive(self) -> None:
        """Raise AssertionError with the log when the process ended by itself."""
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(
                f"{self.name} ended with status {self.process.returncode}:\n{self.log()}"
            )

    def stop(self, signum: int = signal.SIGTERM, *, within_s: float = STOP_WITHIN_S) -> int:
        """Ask the process to end, wait, and give its status."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signum)
        return self.wait(within_s=within_s)

    def wait(self, *, within_s: float) -> int:
        """Wait for the process to end, and give its status. Whatever it left behind is killed."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        if self in running:
            running.remove(self)
        try:
            return process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not stop in {within_s:g} s") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def close(self) -> None:
        """Stop, and remove the directory."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # --- logs -----------------------------------------------------------------------------------

    def log_files(self) -> list[Path]:
        """Files this program writes for people to read."""
        return [self.console, *sorted(self.directory.glob("*.log"))]

    def log(self) -> str:
        """Give everything logged so far."""
        files = dict.fromkeys(self.log_files())
        return "".join(
            path.read_text(encoding="utf-8", errors="replace") for path in files if path.exists()
        )

    def log_contains(self, text: str, *, within_s: float = 5.0) -> bool:
        """Wait for a text in the log."""
        try:
            return eventually(lambda: text in self.log(), text, within_s=within_s)
        except AssertionError:
            return False

    def mark_log(self) -> None:
        """Let ``new_log`` begin here."""
        self._shown = {path: path.stat().st_size for path in self.log_files() if path.exists()}

    def new_log(self) -> str:
        """Give what was logged since ``mark_log``."""
        parts = []
        for path in dict.fromkeys(self.log_files()):
            if path.exists():
                with path.open("rb") as file:
                    file.seek(self._shown.get(path, 0))
                    parts.append(file.read().decode("utf-8", "replace"))
        return "".join(parts)


def children_of(pid: int) -> list[int]:
    """Give the direct child processes of a process."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return [int(word) for word in text.split()]
    except OSError:
        return []


def descendants_of(pid: int) -> list[int]:
    """Give all processes below a process, parents first."""
    found = []
    for child in children_of(pid):
        found += [child, *descendants_of(child)]
    return found


def command_line(pid: int) -> str:
    """Give a process's command line, words separated by spaces; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    """Tell whether a process exists and is not a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def resident_bytes(pid: int) -> int:
    """Give the resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no VmRSS")
