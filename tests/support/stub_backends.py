"""Mail servers of a few lines each: real sockets, one client at a time, every command remembered.

Each serves a connection until its end before it takes the next. A proxy that keeps its connection
to the mail server when its client has left makes everybody after that wait.
"""

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from tests.support.wait import eventually


class File(Protocol):
    """The file of a connection."""

    def readline(self) -> bytes:
        """Read one line."""
        ...

    def read(self, size: int) -> bytes:
        """Read so many octets."""
        ...

    def write(self, octets: bytes) -> object:
        """Write."""
        ...

    def flush(self) -> object:
        """Send what was written."""
        ...


Reply = str | None
"""What to say, without the line end; None says nothing."""


class StubBackend:
    """Base: a listening socket and a thread. ``sessions`` holds the lines of each connection."""

    banner = ""

    def __init__(self) -> None:
        self.sessions: list[list[str]] = []
        self.script: Callable[[str], Reply] | None = None
        """Replaces the answers below for a test; gets each line, and "" for the banner."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for each in (self._listener, self._connection):
            with contextlib.suppress(OSError):
                if each is not None:
                    each.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def clear(self) -> None:
        """Wait for the end of the session being served, then forget all and any script."""
        eventually(lambda: self._connection is None, "the last session ended at the backend")
        self.sessions.clear()
        self.script = None

    def received(self) -> list[str]:
        """Wait for the end of the session being served, and give what the last one sent."""
        eventually(lambda: self._connection is None, "the proxy left the backend")
        return self.sessions[-1] if self.sessions else []

    def answer(self, line: str) -> Reply:
        """Give the reply to one line."""
        raise NotImplementedError

    def _serve(self) -> None:
        while True:
            try:
                self._connection, _ = self._listener.accept()
            except OSError:
                return
            self.sessions.append([])
            with self._connection, self._connection.makefile("rwb") as file:
                # a proxy may go away at any time, with a reset too
                with contextlib.suppress(OSError):
                    self._talk(file, self.sessions[-1])
                with contextlib.suppress(OSError):
                    file.flush()
            self._connection = None

    def _talk(self, file: File, session: list[str]) -> None:
        self._say(file, self.script("") if self.script else self.banner)
        while (line := self._command(file)) is not None:
            session.append(line)
            self._say(file, (self.script or self.answer)(line))

    def _command(self, file: File) -> str | None:
        line = file.readline()
        return line.decode("latin-1").removesuffix("\n").removesuffix("\r") if line else None

    @staticmethod
    def _say(file: File, reply: Reply) -> None:
        if reply is not None:
            file.write(reply.encode("latin-1") + b"\r\n")
            file.flush()


class ImapStub(StubBackend):
    """Takes any login; announces capabilities in front of its OK to whoever asks by name."""

    banner = "* OK fake imap server ready"
    literals = True
    """Take literals together with the command they belong to; else each line stands alone."""

    def _command(self, file: File) -> str | None:
        line = super()._command(file)
        while line and self.literals and (literal := re.search(r"\{(\d+)\}$", line)):
            self._say(file, "+ ")
            line += file.read(int(literal[1])).decode("latin-1")
            line += super()._command(file) or ""
        return line

    def answer(self, line: str) -> Reply:
        tag, _, command = line.partition(" ")
        verb = command.partition(" ")[0].lower()
        if verb == "logout":
            return f"{tag} OK logout ok"
        if verb == "login":
            first = "* CAPABILITY IMAP4rev1\r\n" if "capability" in line else ""
            return f"{first}{tag} OK login ok"
        return f"{tag} ERR unknown command"


class Pop3Stub(StubBackend):
    """Knows one user with one password."""

    banner = "+OK fake pop3 server ready"

    def answer(self, line: str) -> Reply:
        replies = {
            "user test@example.com": "+OK user ok",
            "pass secret": "+OK pass ok",
            "quit": "+OK quit ok",
        }
        return replies.get(line.lower(), "-ERR unknown command")


class SmtpStub(StubBackend):
    """Accepts addresses with an ``@``; tells by XPROXY which PROXY line it was sent."""

    banner = "220 fake esmtp server ready"
    _proxied = ""

    def answer(self, line: str) -> Reply:
        lower = line.lower()
        if lower.startswith("proxy"):
            self._proxied = line
            return None
        if lower.startswith("xproxy"):
            return f"211 {self._proxied}"
        for verb in ("mail from", "rcpt to"):
            if lower.startswith(f"{verb}:"):
                return f"250 {verb} ok" if "@" in line else f"500 {verb} error"
        replies = {
            "ehlo": "250 hello ok",
            "helo": "250 hello ok",
            "auth plain": "235 auth ok",
            "rset": "250 rset ok",
            "xclient": "220 xclient ok",
            "quit": "221 quit ok",
        }
        known = (reply for verb, reply in replies.items() if lower.startswith(verb))
        return next(known, "500 unknown command")
