"""The access log of a running daemon: its records, rotation by USR1, and what never is in it."""

import json
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_port
from tests.support.wait import eventually
from tests.unit.proxycore.daemon.serve import Backend, Imap, Serve

CONFIG = """\
worker_processes 2;
error_log @DIR@/error.log notice;
access_log @DIR@/access.log;
prelogin_sessions_per_address {most};
events {{ }}
mail {{
    auth_http 127.0.0.1:{auth}/auth;
    server {{
        listen 127.0.0.1:{first};
        protocol imap;
    }}
    server {{
        listen 127.0.0.1:{second};
        protocol imap;
        access_log @DIR@/own.log;
        access_log syslog:server=127.0.0.1:{syslog},tag=mail,nohostname;
    }}
    server {{
        listen 127.0.0.1:{third};
        protocol imap;
        access_log off;
    }}
}}
"""

CANARY = "canary-7f3a9"


class Auth:
    """An auth service that sends everybody to one mail server, unless he is called bad."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._server = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                asked = b""
                while b"\r\n\r\n" not in asked:
                    asked += connection.recv(4096)
                good = b"Auth-User: bad" not in asked
                to = b"Auth-Server: 127.0.0.1\r\nAuth-Port: %d\r\n" % self._to
                verdict = b"Auth-Status: OK\r\n%b" % to if good else b"Auth-Status: no\r\n"
                connection.sendall(b"HTTP/1.0 200 OK\r\nAuth-Session: s-1\r\n%b\r\n" % verdict)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)


class Stage:
    """A daemon with three server blocks and everything around it."""

    def __init__(self, most: int = 0) -> None:
        self.backend = Backend()
        self.auth = Auth(self.backend.port)
        self.syslog = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.syslog.bind(("127.0.0.1", 0))
        self.syslog.settimeout(5)
        self.ports = [free_port() for _ in range(3)]
        first, second, third = self.ports
        self.daemon = Serve(
            CONFIG.format(
                auth=self.auth.port,
                first=first,
                second=second,
                third=third,
                syslog=self.syslog.getsockname()[1],
                most=most,
            )
        )
        self.daemon.start()
        self.log = self.daemon.directory / "access.log"
        eventually(lambda: len(self.daemon.workers()) == 2, "both workers run")

    def login(self, user: str = "alice", block: int = 0) -> None:
        with Imap(self.ports[block]) as client:
            assert client.ask(f"a1 LOGIN {user} {CANARY}")

    def close(self) -> None:
        self.daemon.close()
        self.auth.close()
        self.syslog.close()
        self.backend.__exit__()


@pytest.fixture
def stage() -> Iterator[Stage]:
    built = Stage()
    try:
        yield built
    finally:
        built.close()


def records(*paths: Path) -> list[dict[str, Any]]:
    """Read whole lines; a torn one would not be JSON."""
    texts = [path.read_text() for path in paths if path.exists()]
    assert all(not text or text.endswith("\n") for text in texts)
    return [json.loads(line) for text in texts for line in text.splitlines()]


def test_every_session_has_its_record_where_its_block_wants_it(stage: Stage) -> None:
    for block in range(3):
        for user in ("alice", "bad"):
            stage.login(user, block)
    own = stage.daemon.directory / "own.log"
    eventually(lambda: len(records(stage.log)) == len(records(own)) == 2, "all records")
    for path in (stage.log, own):
        found = {record["login"]: record for record in records(path)}
        assert found["alice"]["reason"] == "done"
        assert found["bad"]["reason"] == "login_failed"
        assert {record["auth_session"] for record in found.values()} == {"s-1"}
    datagram = stage.syslog.recv(65536).decode()
    assert datagram.startswith("<190>")
    assert json.loads(datagram.partition(" mail: ")[2])["login"] in ("alice", "bad")
    for path in stage.daemon.directory.rglob("*"):
        if path.is_file() and path.name != "nginx.conf":
            assert CANARY not in path.read_text(errors="replace"), path


def test_rotation_by_usr1_loses_and_splits_nothing(stage: Stage) -> None:
    rotated: list[Path] = []
    for turn in range(6):
        threads = [threading.Thread(target=stage.login, args=(f"u{turn}-{i}",)) for i in range(12)]
        for thread in threads:
            thread.start()
        rotated.append(stage.log.rename(stage.log.with_suffix(f".{turn}")))
        stage.daemon.signal(signal.SIGUSR1)
        eventually(stage.log.exists, "the log is there again")
        for thread in threads:
            thread.join(10)
    wanted = {f"u{turn}-{i}" for turn in range(6) for i in range(12)}
    eventually(lambda: len(records(*rotated, stage.log)) >= len(wanted), "all records")
    found = Counter(record["login"] for record in records(*rotated, stage.log))
    assert found == Counter(wanted)


def test_the_end_of_the_daemon_writes_what_it_ends(stage: Stage) -> None:
    with Imap(stage.ports[0]) as waiting, Imap(stage.ports[0]) as relayed:
        assert relayed.ask(f"a1 LOGIN alice {CANARY}")
        assert waiting.greeting
        stage.daemon.signal(signal.SIGTERM)
        assert stage.daemon.ended(10) == 0
        found = {record["login"]: record["reason"] for record in records(stage.log)}
    assert found == {"": "shutdown", "alice": "shutdown"}


def test_200_connections_of_one_address_are_bounded_and_each_is_recorded() -> None:
    stage = Stage(most=20)
    try:
        clients = [socket.create_connection(("127.0.0.1", stage.ports[0]), 5) for _ in range(200)]
        greetings = Counter(client.recv(100)[:5] for client in clients)
        for client in clients:
            client.close()
        # of each of the two workers
        assert 20 <= greetings[b"* OK "] <= 40
        assert greetings[b"* BYE"] == 200 - greetings[b"* OK "]
        eventually(lambda: len(records(stage.log)) == 200, "all records")
        reasons = Counter(record["reason"] for record in records(stage.log))
        assert reasons["too_many_sessions"] == greetings[b"* BYE"]
        assert len(stage.daemon.log().split("limit reached (setting prelogin_")) in (2, 3)
    finally:
        stage.close()
