"""After login an SMTP session is octets: no line end is mended, added or taken (VU#302671).

A mail server and whoever wrote the message may disagree about where it ends. We have no opinion.
"""

import hashlib
import itertools
import socket
import threading
from collections.abc import Generator

import pytest

from tests.peer.stage import Stage, staged
from tests.support.talk import plain

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    proxy_timeout 15s;
    server_name mx.example.com;
    server { listen @1@; protocol smtp; smtp_auth plain none; xclient off; }
"""
_ENDS = (
    b"\n.\n",
    b"\r.\r",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\r.\r\n",
    b"\n.\r",
    b"\0\r\n.\r\n",
)
_SMUGGLED = b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<you@example.com>\r\nDATA\r\nhi"
_BODIES = [
    b"".join(end + _SMUGGLED for end in order)
    for order in itertools.islice(itertools.permutations(_ENDS), 0, 40_320, 5_040)
]


class Recorder:
    """A mail server that accepts one login, then repeats every octet it is told."""

    def __init__(self, login: list[bytes]) -> None:
        self._login = login
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(8)
        self.port = int(self._listener.getsockname()[1])
        self.heard = b""
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with self._listener, self._listener.accept()[0] as connection:
            connection.settimeout(8)
            connection.sendall(b"220 hi\r\n")
            for answer in self._login:
                assert connection.recv(4096).endswith(b"\r\n")
                connection.sendall(answer)
            while data := connection.recv(65_536):
                self.heard += data
                connection.sendall(data)

    def close(self) -> None:
        """Wait for the end of the session."""
        self._thread.join()


@pytest.fixture(scope="module")
def stage(kind: str) -> Generator[Stage, None, None]:
    with staged(kind, _MAIL, lambda _: None) as running:
        yield running


@pytest.mark.parametrize(
    ("login", "answers", "last"),
    [
        ([f"AUTH PLAIN {plain('u', 'p')}"], [b"250 ok\r\n"], "235 2.0.0 OK"),
        (
            ["MAIL FROM:<u>", "RCPT TO:<v>"],
            [b"250 ok\r\n", b"250 ok\r\n", b"250 yes\r\n"],
            "250 yes",
        ),
    ],
    ids=["login", "none"],
)
@pytest.mark.parametrize("body", _BODIES, ids=range(len(_BODIES)))
def test_both_directions_have_the_same_sum(
    stage: Stage, login: list[str], answers: list[bytes], last: str, body: bytes
) -> None:
    recorder = Recorder(answers)
    stage.auth.decide = lambda _: {"Auth-Server": "127.0.0.1", "Auth-Port": str(recorder.port)}
    returned = b""
    try:
        with stage.smtp() as talk:
            for line in login:
                answer = talk.ask(line)
            assert answer == last
            talk.socket.sendall(body)
            while len(returned) < len(body):
                returned += talk.socket.recv(65_536)
    finally:
        recorder.close()
    sums = {hashlib.sha256(octets).hexdigest() for octets in (body, recorder.heard, returned)}
    assert sums == {hashlib.sha256(body).hexdigest()}


def test_before_login_a_lone_cr_is_refused_and_a_lone_lf_is_a_line_end(stage: Stage) -> None:
    with stage.smtp() as talk:
        talk.write("NOOP\rRSET\r\n")
        assert talk.line() == "500 5.5.1 Invalid command"
        talk.write("NOOP\nRSET\n")
        assert [talk.line(), talk.line()] == ["250 2.0.0 OK", "250 2.0.0 OK"]
        talk.write("NOOP\n.\nNOOP\r.\rNOOP\n")
        assert talk.line() == "250 2.0.0 OK"
        assert [talk.line(), talk.line()] == ["500 5.5.1 Invalid command"] * 2
