"""A worker's engine in the test's own thread, with hand-played clients, mail and auth servers.

Nothing runs by itself: ``pump`` steps the reactor until a condition holds, with a deadline. So a
test decides what happens in which order, and nothing is ever waited for by sleeping.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthHttp, Listen, Process, Server, Snapshot
from proxycore.net.engine import Engine
from proxycore.net.log import LEVELS
from proxycore.net.reactor import Reactor

T = TypeVar("T")

DEADLINE_S = 10.0
TICK_S = 0.01

OK_REPLY = "Auth-Status: OK\r\nAuth-Server: 127.0.0.1\r\nAuth-Port: {port}\r\n"


class Lines:
    """A log that remembers."""

    def __init__(self, level: str = "debug") -> None:
        self.threshold = LEVELS[level]
        self.lines: list[tuple[str, str]] = []

    def write(self, level: str, message: str) -> None:
        self.lines.append((level, message))

    def text(self) -> str:
        return "\n".join(f"[{level}] {message}" for level, message in self.lines)


def listening(backlog: int = 1024) -> socket.socket:
    sock = socket.create_server(("127.0.0.1", 0), backlog=backlog)
    sock.setblocking(False)
    return sock


def open_fds() -> set[int]:
    """Give the open descriptors of this process, without the one that lists them."""
    numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    return {number for number in numbers if os.path.exists(f"/proc/self/fd/{number}")}


class Peer:
    """The far end of one connection, played by the test."""

    def __init__(self, house: "House", sock: socket.socket) -> None:
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.house = house
        self.sock = sock
        self.received = b""
        self.ended = False

    def send(self, data: bytes) -> Self:
        view = memoryview(data)
        while view:
            try:
                view = view[self.sock.send(view) :]
            except BlockingIOError:
                self.house.step()
        return self

    def read(self) -> bool:
        """Take what there is; tell whether anything changed."""
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            data = b""
        if data:
            self.received += data
        else:
            self.ended = True
        return True

    def expect(self, wanted: bytes) -> bytes:
        """Pump until ``wanted`` was received; give everything received so far and forget it."""
        self.house.pump(lambda: (self.read() or True) and wanted in self.received, repr(wanted))
        taken, self.received = self.received, b""
        return taken

    def expect_end(self) -> bytes:
        """Pump until the connection ends; give what was received before."""
        self.house.pump(lambda: (self.read() or True) and self.ended, "end of connection")
        taken, self.received = self.received, b""
        return taken

    def close(self) -> None:
        self.sock.close()


class House:
    """Engine, listening socket, and the far ends."""

    def __init__(self) -> None:
        self.reactor = Reactor(tick_s=TICK_S)
        self.log = Lines()
        self.engine = Engine(
            self.reactor,
            boot_id="boot",
            hostname="mx.example.com",
            log=self.log,
            node_token=Secret("node-token"),
        )
        self.auth = listening()
        self.mail = listening()
        self.address: tuple[str, int] = ("", 0)
        self.key = ""
        self._peers: list[Peer] = []

    # --- configuration ---

    def server(
        self,
        protocol: str = "imap",
        *,
        auth: dict[str, Any] | None = None,
        proxied: bool = False,
        **settings: Any,
    ) -> Server:
        port = self.auth.getsockname()[1]
        settings.setdefault("name", "main")
        return Server(
            protocol=Protocol(protocol),
            listens=(Listen(address="127.0.0.1", port=self.address[1], proxy_protocol=proxied),),
            auth_http=AuthHttp(
                **{"host": "127.0.0.1", "port": port, "uri": "/auth", **(auth or {})}
            ),
            **settings,
        )

    def serve(self, protocol: str = "imap", *, connections: int = 1000, **settings: Any) -> None:
        """Run one server block; the first call opens its socket."""
        sockets = {}
        if not self.key:
            sock = listening()
            self.address = sock.getsockname()
            self.key = f"127.0.0.1:{self.address[1]}"
            sockets = {self.key: sock}
        process = Process(worker_connections=connections)
        snapshot = Snapshot(servers=(self.server(protocol, **settings),), process=process)
        self.engine.apply(snapshot, sockets)

    # --- time ---

    def step(self) -> None:
        self.reactor.step(0.002)

    def pump(self, condition: Callable[[], T], what: str, within_s: float = 0.0) -> T:
        within_s = within_s or DEADLINE_S
        deadline = time.monotonic() + within_s
        while not (answer := condition()):
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"not within {within_s:g} s: {what}\n{self.log.text()[-2000:]}"
                )
            self.step()
        return answer

    def idle(self, rounds: int = 20) -> None:
        """Let everything happen that is ready to happen."""
        for _ in range(rounds):
            self.reactor.step(0)

    # --- far ends ---

    def peer(self, sock: socket.socket) -> Peer:
        peer = Peer(self, sock)
        self._peers.append(peer)
        return peer

    def client(self, greeting: bytes = b"ready\r\n") -> Peer:
        peer = self.peer(socket.create_connection(self.address))
        if greeting:
            peer.expect(greeting)
        return peer

    def accept(self, listener: socket.socket) -> Peer:
        def take() -> socket.socket | None:
            try:
                return listener.accept()[0]
            except BlockingIOError:
                return None

        sock = self.pump(take, "a connection from the proxy")
        assert sock is not None
        return self.peer(sock)

    def asked(self) -> tuple[Peer, bytes]:
        """Take the next new connection to the auth service, and the question on it."""
        auth = self.accept(self.auth)
        return auth, auth.expect(b"\r\n\r\n")

    def ok(self) -> bytes:
        port = self.mail.getsockname()[1]
        return f"HTTP/1.0 200 OK\r\n{OK_REPLY.format(port=port)}\r\n".encode()

    def ok_at(self, server: str, port: int) -> bytes:
        return f"Auth-Status: OK\r\nAuth-Server: {server}\r\nAuth-Port: {port}\r\n\r\n".encode()

    def mail_login(self) -> Peer:
        """Play the IMAP server's part of a login."""
        mail = self.accept(self.mail)
        mail.send(b"* OK ready\r\n")
        while mail.expect(b"\r\n").endswith(b"}\r\n"):
            mail.send(b"+ go on\r\n")
        mail.send(b"a1 OK logged in\r\n")
        return mail

    def login(self, user: bytes = b"alice", password: bytes = b"secret") -> tuple[Peer, Peer]:
        """Log an IMAP client in, through an auth service asked as nginx asks; give both ends."""
        client = self.client()
        client.send(b"a1 LOGIN %b %b\r\n" % (user, password))
        auth, _ = self.asked()
        auth.send(self.ok())
        auth.expect_end()
        auth.close()
        mail = self.mail_login()
        client.expect(b"a1 OK logged in\r\n")
        return client, mail

    def close(self) -> None:
        for peer in self._peers:
            peer.close()
        self.engine.close()
        self.auth.close()
        self.mail.close()
        self.reactor.step(0)
        self.reactor.shut()


@contextmanager
def house() -> Iterator[House]:
    built = House()
    try:
        yield built
    finally:
        built.close()
