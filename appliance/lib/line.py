"""A connection to somebody who is asked: lines, one deadline for everything."""

import socket
import ssl
import time
from collections.abc import Callable
from functools import lru_cache
from types import TracebackType
from typing import Final, Protocol, Self

_MAX_LINE_BYTES: Final = 8192


class Stream(Protocol):
    """What lines are read from. Every failure is an OSError."""

    def settimeout(self, value: float, /) -> None:
        """Have the next call take no longer."""

    def recv(self, bufsize: int, /) -> bytes:
        """Read what there is; nothing at the end."""

    def sendall(self, data: bytes, /) -> None:
        """Send everything."""

    def close(self) -> None:
        """Close."""


class Line:
    """A TCP or unix connection read by lines. Every failure is an OSError."""

    def __init__(self, host: str, port: int, timeout_ms: int) -> None:
        self._deadline = time.monotonic() + timeout_ms / 1000
        self._socket: Stream
        self._plain: socket.socket
        if host.startswith("unix:"):
            self._plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self._plain.settimeout(self._left_s())
                self._plain.connect(host.removeprefix("unix:"))
            except BaseException:
                self._plain.close()
                raise
        else:
            self._plain = socket.create_connection((host, port), self._left_s())
        self._socket = self._plain
        self._buffer = b""

    def start_tls(self, name: str, context: ssl.SSLContext | None = None) -> None:
        """Go on in TLS with somebody who proves to be ``name``.

        context: whom to trust; None: whom the system trusts.
        What was said before it in clear must not pass for said in TLS.
        """
        chosen = trust() if context is None else context

        def begin(below: socket.socket, left_s: Callable[[], float]) -> Stream:
            below.settimeout(left_s())
            return chosen.wrap_socket(below, server_hostname=name)

        self.seal(begin)

    def seal(self, begin: "Callable[[socket.socket, Callable[[], float]], Stream]") -> None:
        """Go on in what ``begin`` makes of the socket and of the seconds that are left."""
        if self._buffer:
            raise ConnectionError("spoke before TLS")
        self._socket = begin(self._plain, self._left_s)

    @property
    def ends(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Give our address and port, and those of the other side."""
        here, there = self._plain.getsockname(), self._plain.getpeername()
        return (here[0], here[1]), (there[0], there[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send octets."""
        self._socket.settimeout(self._left_s())
        self._socket.sendall(data)

    def line(self) -> bytes:
        """Read one line, without its end."""
        while b"\n" not in self._buffer:
            if len(self._buffer) > _MAX_LINE_BYTES:
                raise ConnectionError("a line is too long")
            self._socket.settimeout(self._left_s())
            more = self._socket.recv(4096)
            if not more:
                raise ConnectionError("closed")
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.removesuffix(b"\r")

    def ask(self, command: bytes) -> bytes:
        """Send one command and read one line."""
        self.send(command + b"\r\n")
        return self.line()

    def _left_s(self) -> float:
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s


@lru_cache(maxsize=1)
def trust() -> ssl.SSLContext:
    """Trust whom the system trusts (``SSL_CERT_FILE`` says otherwise). Costs 830 kB, so: once."""
    return ssl.create_default_context()
