"""The benchmark's own C programs: built on the fly, run on the CPU the proxy does not have."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.bench.machine import Unfit, find_program

SOURCES: Final = Path(__file__).parent / "src"

PARTS: Final = {
    "backend": ("backend.c", "net.c", "stream.c"),
    "auth": ("auth.c", "net.c"),
    "load": ("load.c", "options.c", "script.c", "latency.c", "net.c", "stream.c"),
}
"""Program -> what it is built of."""

_FLAGS: Final = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror")
_LIBRARIES: Final = ("-lssl", "-lcrypto")
_TLS_HEADER: Final = Path("/usr/include/openssl/ssl.h")


class LoadFailed(Exception):
    """An operation failed or the deadline passed; the message is the load generator's."""


def build(directory: Path) -> None:
    """Compile every program into a directory."""
    compiler = find_program("gcc", "gcc libc6-dev")
    if not _TLS_HEADER.exists():
        raise Unfit("OpenSSL's headers are not installed: apt-get install libssl-dev")
    for name, sources in PARTS.items():
        files = [str(SOURCES / source) for source in sources]
        subprocess.run(
            [compiler, *_FLAGS, "-o", str(directory / name), *files, *_LIBRARIES],
            check=True,
            stdin=subprocess.DEVNULL,
        )


class Stub:
    """A stub server: says its ports on its first line, ends when its input is closed."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.ports = [int(word) for word in self._process.stdout.readline().split()]
        if not self.ports:
            self.close()
            raise RuntimeError(f"{argv[0]} did not start")

    def check_alive(self) -> None:
        """Raise RuntimeError when it ended by itself."""
        status = self._process.poll()
        if status is not None:
            raise RuntimeError(f"a stub server ended with status {status}")

    def close(self) -> None:
        """End it."""
        _end(self._process)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the load generator is to do; the members are its options."""

    work: str = "login"
    """``login``, or on sessions kept open: ``noop``, ``fetch``, ``append``."""
    protocol: str = "imap"
    sessions: int = 50
    size: int = 6_000
    """Octets of one fetch or append."""
    users: int = 1_000
    """Different users that log in, in turn."""
    rate: float = 0
    """Logins per second of an open loop; 0 is closed loop."""
    deadline: float = 120
    """Most seconds one run may take."""
    tls: str = "off"
    """``off``, ``implicit`` or ``starttls``."""
    resume: int = 0
    """1: TLS sessions of the slot's last connection are resumed, or the run fails."""
    first_user: int = 0
    user_prefix: str = "user"
    user_suffix: str = ""

    def options(self) -> list[str]:
        """Render as command line."""
        words = []
        for name in self.__slots__:
            words += [f"--{name.replace('_', '-')}", str(getattr(self, name))]
        return words


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run as the load generator saw it. All operations succeeded."""

    operations: int
    elapsed_ns: int
    octets: int
    p50_ns: int
    p90_ns: int
    p99_ns: int
    max_ns: int


class Load:
    """A running load generator; its sessions, if it keeps any, are logged in when it is made."""

    def __init__(self, program: Path, port: int, work: Work) -> None:
        self._process = subprocess.Popen(
            [str(program), "--port", str(port), *work.options()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            self._expect_line()
        except BaseException:
            self.close()
            raise

    def run(self, operations: int) -> Outcome:
        """Do so many operations; raises ``LoadFailed`` when one of them fails."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"run {operations}\n")
        self._process.stdin.flush()
        return Outcome(**json.loads(self._expect_line()))

    def close(self) -> None:
        """Close all its sessions."""
        _end(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _expect_line(self) -> str:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line:
            said = self._process.stderr.read().strip()
            raise LoadFailed(said or f"load ended with status {self._process.wait()}")
        return line


def _end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
