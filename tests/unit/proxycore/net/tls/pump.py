"""Real ``openssl`` programs at the other end of a small socket pump."""

import contextlib
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator

from proxycore.net.tls.back import BackTlsEndpoint
from proxycore.net.tls.endpoint import Phase
from proxycore.net.tls.front import FrontTlsEndpoint
from proxycore.net.tls.front_context import FrontContext
from tests.support.ports import free_port, release
from tests.support.require import program
from tests.support.wait import eventually

GREETING = b"* OK ready\r\n"
SILENT = "silent.invalid"
"""Who asks for this name gets no greeting."""
_DEADLINE_S = 20.0


def pump(sock: socket.socket, end: FrontTlsEndpoint) -> bytes:
    """Answer what comes in upper case until the peer has ended or said ``bye``; give all input."""
    greeted, got = False, b""
    while True:
        try:
            data = sock.recv(65_536)
        except ConnectionError:
            break
        if not data:
            break
        plain = end.feed(data)
        got += plain
        with contextlib.suppress(ConnectionError):
            sock.sendall(end.take())
            if end.phase is Phase.OPEN and not greeted:
                greeted = True
                sock.sendall(end.write(b"" if end.server_name == SILENT else GREETING))
            if plain and end.phase is not Phase.FAILED:
                sock.sendall(end.write(plain.upper()))
            if end.phase is Phase.ENDED or b"bye" in got:
                sock.sendall(end.close())
        if end.phase >= Phase.ENDED or b"bye" in got:
            break
    return got


class Fronts:
    """Listens, and serves one connection after the other with our front leg."""

    def __init__(self, choose: Callable[[str], FrontContext]) -> None:
        self._choose = choose
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.ends: list[FrontTlsEndpoint] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            sock, _ = self._listening.accept()
            with sock:
                sock.settimeout(_DEADLINE_S)
                end = FrontTlsEndpoint(self._choose)
                self.ends.append(end)
                pump(sock, end)
            if end.server_name == "stop.invalid":
                return

    def close(self) -> None:
        """Stop the thread by a connection it understands, and close."""
        from tests.unit.proxycore.net.tls.client import Client

        host, port = self.address.split(":")
        with socket.create_connection((host, int(port)), _DEADLINE_S) as sock:
            sock.sendall(Client(name="stop.invalid").feed(b"")[1])
            sock.shutdown(socket.SHUT_WR)
            self._thread.join(_DEADLINE_S)
        self._listening.close()
        assert not self._thread.is_alive()


@contextlib.contextmanager
def fronts(choose: FrontContext | Callable[[str], FrontContext]) -> Iterator[Fronts]:
    running = Fronts(choose if callable(choose) else lambda _name: choose)
    try:
        yield running
    finally:
        running.close()


def s_client(address: str, *options: str, say: bytes = b"") -> str:
    """Run ``openssl s_client`` to its end; give all it printed.

    say: after the handshake. Without, its input ends at once and so does it.
    """
    command = [program("openssl"), "s_client", "-connect", address, *options]
    with tempfile.TemporaryFile() as printed:
        running = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=printed, stderr=subprocess.STDOUT
        )
        try:
            assert running.stdin is not None
            running.stdin.write(say)
            running.stdin.flush()
            if not say:
                running.stdin.close()
            running.wait(_DEADLINE_S)
        finally:
            running.kill()
            with contextlib.suppress(BrokenPipeError):
                running.communicate()
        printed.seek(0)
        return printed.read().decode("utf-8", "replace")


@contextlib.contextmanager
def s_server(*options: str) -> Iterator[int]:
    """Run ``openssl s_server``, which sends back what it gets reversed; give its port."""
    port = free_port()
    command = [program("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-rev", *options]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: _listens(port), "openssl s_server listens")
        yield port
    finally:
        running.kill()
        running.wait()
        release(port)


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def talk(port: int, end: BackTlsEndpoint, line: bytes) -> bytes:
    """Connect our back leg; say a line after the handshake; give what comes back."""
    with socket.create_connection(("127.0.0.1", port), _DEADLINE_S) as sock:
        sock.settimeout(_DEADLINE_S)
        sock.sendall(end.start())
        got, said = b"", False
        while b"\n" not in got and end.phase < Phase.ENDED:
            data = sock.recv(65_536)
            if not data:
                break
            got += end.feed(data)
            sock.sendall(end.take())
            if end.phase is Phase.OPEN and not said:
                said = True
                sock.sendall(end.write(line))
        with contextlib.suppress(ConnectionError):
            sock.sendall(end.close())
        return got
