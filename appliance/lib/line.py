"""A connection to somebody who is asked: lines, one deadline for everything."""

import socket
import ssl
import time
from functools import lru_cache
from types import TracebackType
from typing import Final, Self

_MAX_LINE_BYTES: Final = 8192


class Line:
    """A TCP or unix connection read by lines. Every failure is an OSError."""

    def __init__(self, host: str, port: int, timeout_ms: int) -> None:
        self._deadline = time.monotonic() + timeout_ms / 1000
        if host.startswith("unix:"):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self._socket.settimeout(self._left_s())
                self._socket.connect(host.removeprefix("unix:"))
            except BaseException:
                self._socket.close()
                raise
        else:
            self._socket = socket.create_connection((host, port), self._left_s())
        self._buffer = b""

    def start_tls(self, name: str, context: ssl.SSLContext | None = None) -> None:
        """Go on in TLS with somebody who proves to be ``name``.

        context: whom to trust; None: whom the system trusts.
        What was said before it in clear must not pass for said in TLS.
        """
        if self._buffer:
            raise ConnectionError("spoke before TLS")
        self._socket.settimeout(self._left_s())
        context = trust() if context is None else context
        self._socket = context.wrap_socket(self._socket, server_hostname=name)

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
