"""An auth_http service as a bare socket: shows every byte it was asked, answers anything at all."""

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_RECEIVE_BYTES = 65_536
_OURS = re.compile(rb"\r\nClient-Port: \d+\r\nAuth-Port: \d+\r\n")


@dataclass(frozen=True)
class Request:
    """One request, exactly as it came, the blank line included."""

    raw: bytes

    @property
    def lines(self) -> list[str]:
        """All lines, in wire order; octets above 127 are read as latin-1."""
        return self.raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")

    @property
    def common(self) -> bytes:
        """The request without the two headers ours sends beside nginx's."""
        return _OURS.sub(b"\r\n", self.raw, count=1)

    def has(self, name: str) -> bool:
        """Tell whether there is such a header line."""
        return any(line.lower().startswith(f"{name.lower()}:") for line in self.lines[1:])

    def __getitem__(self, name: str) -> str:
        """Give a header's value in the escaped form it was sent in; empty when it is absent."""
        for line in self.lines[1:]:
            found, _, value = line.partition(": ")
            if found.lower() == name.lower():
                return value
        return ""


Answer = bytes | list[bytes] | Mapping[str, str] | None
"""Raw bytes, in one write or several; or headers behind a status line; or nothing at all until the
caller goes away."""
Decision = Callable[[Request], Answer]


def headers(fields: Mapping[str, str]) -> bytes:
    """Give an answer with these headers; as nginx's ``add_header``, empty ones are left out."""
    lines = [f"{name}: {value}\r\n" for name, value in fields.items() if value != ""]
    return ("HTTP/1.0 204 No Content\r\n" + "".join(lines) + "\r\n").encode("latin-1")


class StubAuth:
    """Answers on ``port`` by ``decide``, each caller in a thread of its own."""

    def __init__(self, decide: Decision) -> None:
        self.decide = decide
        self.requests: list[Request] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept)
        self._closing = False

    def clear(self) -> None:
        """Forget what was asked."""
        self.requests.clear()

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads = [old for old in self._threads if old.is_alive()]
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self._talk(connection)
        self._open.discard(connection)

    def _talk(self, connection: socket.socket) -> None:
        raw = b""
        while not raw.endswith(b"\r\n\r\n"):
            received = connection.recv(_RECEIVE_BYTES)
            if not received:
                return
            raw += received
        request = Request(raw)
        self.requests.append(request)
        answer = self.decide(request)
        if isinstance(answer, Mapping):
            answer = headers(answer)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in [answer] if isinstance(answer, bytes) else answer or []:
            connection.sendall(piece)
        if answer is not None:
            connection.shutdown(socket.SHUT_WR)
        while connection.recv(_RECEIVE_BYTES):
            pass  # until the caller goes
