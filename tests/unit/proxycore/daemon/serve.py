"""The daemon as a process in development mode: a leaked socket or file shows in its log."""

import contextlib
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Generator, Sequence
from pathlib import Path

from tests.support import process
from tests.support.authserver import AuthServer
from tests.support.process import Program
from tests.support.proxycore import environment
from tests.support.wait import eventually

_NOISE = re.compile(r"ResourceWarning|Traceback|never (?:awaited|retrieved)|internal error")


class Serve(Program):
    """``python -m proxycore serve``. ``@DIR@`` in a configuration is the daemon's directory."""

    name = "serve"

    def __init__(self, config: str = "", *, arguments: Sequence[str] = ()) -> None:
        super().__init__()
        self.log_file = self.directory / "error.log"
        self.config_file = self.directory / "nginx.conf"
        if config:
            self.configure(config)
        self._arguments = arguments or ["--config", str(self.config_file)]

    def configure(self, config: str) -> None:
        self.config_file.write_text(config.replace("@DIR@", str(self.directory)))

    def start(self) -> None:
        self.launch_only()
        eventually(lambda: self.check_alive() or "listening on" in self.log(), "it listens")

    def launch_only(self) -> None:
        argv = [sys.executable, "-m", "proxycore", "serve", *self._arguments]
        self.launch(argv, env=environment(PYTHONDEVMODE="1"))

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def workers(self) -> list[int]:
        return [pid for pid in process.children_of(self.pid) if process.is_alive(pid)]

    def log_files(self) -> list[Path]:
        return [self.console, self.log_file]

    def ended(self, within_s: float) -> int:
        """Wait for the end without asking for it; gives the exit code."""
        assert self.process is not None
        return self.process.wait(within_s)

    def close(self) -> None:
        try:
            self.stop()
            assert not _NOISE.search(self.log()), self.log()
        finally:
            super().close()


class Backend:
    """An IMAP server that lets everybody in and answers OK to everything."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    @staticmethod
    def _serve(connection: socket.socket) -> None:
        literal = re.compile(rb"\{\d+\}\r\n$")
        with connection, connection.makefile("rwb") as stream, contextlib.suppress(OSError):
            stream.write(b"* OK backend ready\r\n")
            stream.flush()
            tag = b""
            for line in stream:
                tag = tag or line.split()[0]
                if literal.search(line):
                    stream.write(b"+ go on\r\n")
                else:
                    stream.write(b"%b OK done\r\n" % tag)
                    tag = b""
                stream.flush()

    def __enter__(self) -> "Backend":
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join(5)


@contextlib.contextmanager
def everybody_let_in() -> Generator[int, None, None]:
    """Run an auth service that sends all to a mail server that lets all in; gives its port."""
    with Backend() as backend:
        found = {
            "Auth-Status": "OK",
            "Auth-Server": "127.0.0.1",
            "Auth-Port": str(backend.port),
        }
        with AuthServer(lambda asked: found) as auth:
            yield auth.port


class Imap:
    """A client's connection, line by line."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 5)
        self._stream = self._socket.makefile("rb")
        self.greeting = self._stream.readline()

    def ask(self, line: str) -> bytes:
        self._socket.sendall(line.encode() + b"\r\n")
        return self._stream.readline()

    def rest(self) -> bytes:
        """Read to the end."""
        with contextlib.suppress(ConnectionError):
            return self._stream.read()
        return b""

    def __enter__(self) -> "Imap":
        return self

    def __exit__(self, *exc: object) -> None:
        self._stream.close()
        self._socket.close()


def serves(port: int, greeting: bytes = b"* OK") -> bool:
    """Tell whether a worker greets on this port."""
    with Imap(port) as client:
        return client.greeting.startswith(greeting)


def refuses(port: int) -> bool:
    """Tell whether nobody listens on this port."""
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
    except ConnectionRefusedError:
        return True
    return False
