"""After login: octets pass unchanged, and one side's end is the other's."""

import hashlib
import socket
import threading
import time
from collections.abc import Generator
from types import TracebackType
from typing import Self

import pytest

from tests.peer.stage import Stage, staged
from tests.support.talk import Pop3, Talk

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    proxy_timeout 15s;
    server { listen @1@; protocol pop3; }
    server { listen @2@; protocol pop3; proxy_timeout 500ms; }
    server { listen @3@; protocol imap; }
"""
_PIECE = 64 * 1024


class Peer:
    """A mail server whose connection, once logged in, is in the test's hands."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(8)
        self.port = int(self._listener.getsockname()[1])
        self.connection: socket.socket | None = None

    def log_in(self, talk: Talk) -> socket.socket:
        """Log the client in and give the mail server's end of the session."""
        talk.send("USER u", "PASS p")
        self.connection = connection = self._accept()
        for command in (b"USER u\r\n", b"PASS p\r\n"):
            connection.sendall(b"+OK\r\n")
            assert connection.recv(100) == command
        connection.sendall(b"+OK in\r\n")
        assert [talk.line(), talk.line()] == ["+OK", "+OK in"]
        return connection

    def _accept(self) -> socket.socket:
        connection, _ = self._listener.accept()
        connection.settimeout(8)
        return connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.close()
        if self.connection is not None:
            self.connection.close()


@pytest.fixture
def peer(stage: Stage) -> Generator[Peer, None, None]:
    with Peer() as running:
        answer = {"Auth-Server": "127.0.0.1", "Auth-Port": str(running.port)}
        stage.auth.decide = lambda _: answer
        yield running


@pytest.fixture(scope="module")
def stage(kind: str) -> Generator[Stage, None, None]:
    with staged(kind, _MAIL, lambda _: None) as running:
        yield running


def _read(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size and (more := connection.recv(_PIECE)):
        received += more
    return received


@pytest.mark.parametrize(
    "octets",
    [
        b"\n.\n",
        b"\r.\r",
        b"\n.\r\n",
        b"\r\n.\r\n",
        b"\r\n.\r",
        b"\0\xff\r\r\n\n",
        bytes(range(256)) * 300,
    ],
    ids=repr,
)
def test_octets_pass_unchanged_both_ways(stage: Stage, peer: Peer, octets: bytes) -> None:
    with stage.pop3() as talk:
        mail_server = peer.log_in(talk)
        talk.socket.sendall(octets)
        assert _read(mail_server, len(octets)) == octets
        mail_server.sendall(octets)
        assert _read(talk.socket, len(octets)) == octets


def test_much_passes_both_ways_at_once(stage: Stage, peer: Peer) -> None:
    size = 20 * 1024 * 1024
    piece = hashlib.sha256(b"letter").digest() * (_PIECE // 32)

    def send(sender: socket.socket) -> None:
        for _ in range(size // _PIECE):
            sender.sendall(piece)

    def digest_of(receiver: socket.socket) -> str:
        digest, left = hashlib.sha256(), size
        while left and (more := receiver.recv(_PIECE)):
            digest.update(more)
            left -= len(more)
        return digest.hexdigest()

    wanted = hashlib.sha256(piece * (size // _PIECE)).hexdigest()
    with stage.pop3() as talk:
        mail_server = peer.log_in(talk)
        found: list[str] = []
        threads = [
            threading.Thread(target=send, args=(talk.socket,)),
            threading.Thread(target=send, args=(mail_server,)),
            threading.Thread(target=lambda: found.append(digest_of(mail_server))),
        ]
        for thread in threads:
            thread.start()
        found.append(digest_of(talk.socket))
        for thread in threads:
            thread.join()
    assert found == [wanted, wanted]


def test_what_the_client_sent_early_reaches_the_mail_server(stage: Stage, peer: Peer) -> None:
    with stage.pop3() as talk:
        talk.send("USER u", "PASS p", "STAT", "LIST")
        peer.connection = mail_server = peer._accept()
        mail_server.sendall(b"+OK\r\n")
        assert mail_server.recv(100) == b"USER u\r\n"
        mail_server.sendall(b"+OK\r\n")
        assert mail_server.recv(100) == b"PASS p\r\n"
        mail_server.sendall(b"+OK in\r\n")
        assert _read(mail_server, 12) == b"STAT\r\nLIST\r\n"


def test_what_the_mail_server_says_behind_its_answer_reaches_the_client(
    stage: Stage, peer: Peer
) -> None:
    with stage.imap(3) as talk:
        talk.send('a LOGIN "u\xe9" "p\xe9"')
        peer.connection = mail_server = peer._accept()
        mail_server.sendall(b"* OK hi\r\n")
        for _ in range(2):
            assert mail_server.recv(100)
            mail_server.sendall(b"+ go\r\n")
        assert mail_server.recv(100) == b"p\xe9\r\n"
        mail_server.sendall(b"a OK in\r\n* 1 EXISTS\r\n")
        assert [talk.line(), talk.line()] == ["a OK in", "* 1 EXISTS"]


def test_the_mail_server_s_end_is_the_client_s(stage: Stage, peer: Peer) -> None:
    with stage.pop3() as talk:
        mail_server = peer.log_in(talk)
        mail_server.sendall(b"+OK bye\r\n")
        mail_server.close()
        assert talk.rest() == "+OK bye\r\n"


def test_the_client_s_end_is_the_mail_server_s(stage: Stage, peer: Peer) -> None:
    talk = stage.pop3()
    mail_server = peer.log_in(talk)
    talk.send("QUIT")
    talk.close()
    assert _read(mail_server, 100) == b"QUIT\r\n"


@pytest.mark.theirs("the answer to the last command is lost")
def test_nginx_ends_a_session_that_is_half_closed(stage: Stage, peer: Peer) -> None:
    with stage.pop3() as talk:
        mail_server = peer.log_in(talk)
        talk.send("QUIT")
        talk.socket.shutdown(socket.SHUT_WR)
        assert _read(mail_server, 100) == b"QUIT\r\n"
        assert talk.rest() == ""


@pytest.mark.ours("nginx loses the answer to the last command")
def test_the_answer_to_the_last_command_arrives(stage: Stage, peer: Peer) -> None:
    with stage.pop3() as talk:
        mail_server = peer.log_in(talk)
        talk.send("QUIT")
        talk.socket.shutdown(socket.SHUT_WR)
        assert _read(mail_server, 100) == b"QUIT\r\n"
        mail_server.sendall(b"+OK bye\r\n")
        mail_server.close()
        assert talk.rest() == "+OK bye\r\n"


def test_an_idle_session_ends_without_a_word(stage: Stage, peer: Peer) -> None:
    with stage.pop3(2) as talk:
        mail_server = peer.log_in(talk)
        begun = time.monotonic()
        assert talk.rest() == ""
        assert 0.4 < time.monotonic() - begun < 3
        assert mail_server.recv(100) == b""
    assert stage.proxy.log_contains("client timed out (110: Connection timed out)")


def test_a_busy_client_keeps_its_session(stage: Stage, peer: Peer) -> None:
    with stage.pop3(2) as talk:
        mail_server = peer.log_in(talk)
        _keep_talking(talk.socket, mail_server)
        mail_server.sendall(b"+OK\r\n")
        assert talk.line() == "+OK"


@pytest.mark.ours("in nginx only the client keeps a session")
def test_a_busy_mail_server_keeps_its_session(stage: Stage, peer: Peer) -> None:
    with stage.pop3(2) as talk:
        mail_server = peer.log_in(talk)
        _keep_talking(mail_server, talk.socket)
        talk.send("NOOP")
        assert _read(mail_server, 6) == b"NOOP\r\n"


def _keep_talking(speaker: socket.socket, listener: socket.socket) -> None:
    """Say something every now and then for longer than proxy_timeout."""
    until = time.monotonic() + 1
    while time.monotonic() < until:
        speaker.sendall(b"x")
        assert listener.recv(1) == b"x"
        assert threading.Event().wait(0.1) is False  # the pause is what is tested


def test_a_session_behind_another_one_starts_when_the_other_has_ended(
    stage: Stage, peer: Peer
) -> None:
    with stage.pop3() as first:
        connection = peer.log_in(first)
    assert _read(connection, 1) == b""
    connection.close()
    with Pop3.greeted(stage.ports[0]) as second:
        peer.log_in(second)
