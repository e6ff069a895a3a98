"""An operator's own program sets the records: ``PROGRAM present|cleanup NAME VALUE``.

It is a file of one directory that only the system's operator writes (POSTROAD_ACME_HOOK_DIR): who
may use the admin can choose among what is there, and run nothing else. There is no shell; the
environment is nearly empty, so that none of the appliance's own settings reach it.
"""

import contextlib
import os
import signal
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Literal

from django.conf import settings as django_settings

from appliance.acme.solvers import SolverError

if TYPE_CHECKING:
    from appliance.acme.models import DnsSolver

_ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
_SHOWN: Final = 500
"""Octets of the end of its output that are shown with an error."""


def programs() -> list[str]:
    """Name the programs there are to choose from."""
    directory = _directory()
    if directory is None or not directory.is_dir():
        return []
    return sorted(one.name for one in directory.iterdir() if _objection(one) == "")


class HookSolver:
    """Runs the chosen program."""

    def __init__(self, settings: "DnsSolver") -> None:
        self._name = settings.program
        self._timeout_s = settings.timeout_s

    def present(self, name: str, value: str) -> None:
        """Have a record added. Raises SolverError."""
        self._run("present", name, value)

    def cleanup(self, name: str, value: str) -> None:
        """Have that record removed. Raises SolverError."""
        self._run("cleanup", name, value)

    def missing(self, name: str, value: str) -> str:
        """Give nothing: where the program sets records is not known here."""
        return ""

    def _run(self, what: Literal["present", "cleanup"], name: str, value: str) -> None:
        program = self._program()
        with tempfile.TemporaryFile() as output:
            try:
                status = self._wait([str(program), what, name, value], output)
            except OSError as fault:
                said = f"The program {self._name} cannot be run: {fault.strerror}."
                raise SolverError(said) from None
            if status == 0:
                return
            end = _end(output)
        how = "did not end in time" if status is None else f"ended with {status}"
        if status is not None and status < 0:
            how = f"was ended by {signal.Signals(-status).name}"
        raise SolverError(
            f"The program {self._name} {what} {name} {how}{': ' if end else '.'}{end}"
        )

    def _wait(self, argv: list[str], output: IO[bytes]) -> int | None:
        """Run it; give its status, None when it took too long. What it started ends with it."""
        process = subprocess.Popen(  # noqa: S603  (a file of the operator's directory)
            argv,
            cwd="/",
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return process.wait(self._timeout_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _program(self) -> Path:
        directory = _directory()
        if directory is None:
            raise SolverError("No directory for programs is set: POSTROAD_ACME_HOOK_DIR.")
        if not self._name or Path(self._name).name != self._name:
            raise SolverError("Give the file name of a program, without a path.")
        program = directory / self._name
        objection = _objection(program)
        if objection:
            raise SolverError(f"The program {self._name} {objection}.")
        return program


def _directory() -> Path | None:
    text = str(django_settings.ACME_HOOK_DIR)
    return Path(text) if text else None


def _objection(program: Path) -> str:
    """Say why a file is not run; blank: it may."""
    try:
        found = program.stat()
        around = program.parent.stat()
    except OSError:
        return "is not in the directory for programs"
    if not stat.S_ISREG(found.st_mode) or not os.access(program, os.X_OK):
        return "is no file that may be executed"
    if (found.st_mode | around.st_mode) & stat.S_IWOTH:
        return "or its directory can be written by anybody"
    return ""


def _end(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _SHOWN))
    text = output.read().decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
