"""Clients that say exactly what a test wants said, and read one line at a time."""

import base64
import contextlib
import re
import socket
import ssl
from types import TracebackType
from typing import ClassVar, Self

LINE_WITHIN_S = 8.0


def b64(text: str) -> str:
    """Give base64 of the latin-1 octets of a text."""
    return base64.b64encode(text.encode("latin-1")).decode("ascii")


def plain(user: str, password: str) -> str:
    """Give the SASL PLAIN response without an authorization identity."""
    return b64(f"\0{user}\0{password}")


class Talk:
    """A connection to a proxy. Texts are octets read as latin-1."""

    ok: ClassVar = ""
    """What a line that says yes looks like."""

    def __init__(
        self,
        port: int,
        *,
        address: str = "127.0.0.1",
        source: str = "",
        within_s: float = LINE_WITHIN_S,
    ) -> None:
        """Connect; ``source`` is the loopback address to come from."""
        whence = (source, 0) if source else None
        self.socket = socket.create_connection((address, port), within_s, whence)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")

    @classmethod
    def greeted(cls, port: int, tls: ssl.SSLContext | None = None, name: str = "") -> Self:
        """Connect and read the greeting, inside TLS if there is a context."""
        talk = cls(port)
        try:
            if tls is not None:
                talk.seal(tls, name)
            greeting = talk.line()
            assert re.search(cls.ok, greeting), f"greeted by {greeting!r}"
        except BaseException:
            talk.close()
            raise
        return talk

    def seal(
        self, context: ssl.SSLContext, name: str = "", *, session: ssl.SSLSession | None = None
    ) -> Self:
        """Shake hands; what follows is inside TLS. ``name`` is that of the server."""
        self._file.close()
        # closed by this when the handshake fails
        self.socket = context.wrap_socket(
            self.socket, server_hostname=name or None, session=session
        )
        self._file = self.socket.makefile("rb")
        return self

    @property
    def tls(self) -> ssl.SSLSocket:
        """The socket, once it is sealed."""
        assert isinstance(self.socket, ssl.SSLSocket)
        return self.socket

    def send(self, *lines: str) -> None:
        """Send complete lines, all in one write."""
        self.write("".join(f"{line}\r\n" for line in lines))

    def write(self, text: str) -> None:
        """Send octets as they are."""
        self.socket.sendall(text.encode("latin-1"))

    def line(self) -> str:
        """Read one line without its end; empty when the proxy closed, or said nothing in time."""
        with contextlib.suppress(OSError):
            return self._file.readline().decode("latin-1").rstrip("\r\n")
        return ""

    def ask(self, *lines: str) -> str:
        """Send lines in one write and read one answer."""
        self.send(*lines)
        return self.line()

    def rest(self) -> str:
        """Read until the proxy closes; raises TimeoutError when it does not."""
        received = b""
        try:
            while more := self._file.read1(65_536):
                received += more
        except ConnectionError:
            pass
        return received.decode("latin-1")

    def close(self) -> None:
        """Leave."""
        self._file.close()
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Imap(Talk):
    """An IMAP client."""

    ok = r"^\S+ OK"


class Pop3(Talk):
    """A POP3 client."""

    ok = r"^\+OK"


class Smtp(Talk):
    """An SMTP client; of a reply of several lines it sees the last."""

    ok = r"^2\d\d "
    authenticated = r"^235 "

    def line(self) -> str:
        """Read one reply."""
        while re.match(r"\d\d\d-", line := super().line()):
            pass
        return line

    def block(self) -> list[str]:
        """Read one reply, all its lines."""
        lines = [super().line()]
        while re.match(r"\d\d\d-", lines[-1]):
            lines.append(super().line())
        return lines
