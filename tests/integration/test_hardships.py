"""Slow and endless input before login: memory stays bounded, everybody else is served as before.

The classes are those of published pre-login attacks on mail servers and proxies (Dovecot
CVE-2026-27857, CVE-2017-15132, CVE-2025-59028, Stalwart CVE-2025-61600 among them).
"""

import contextlib
import select
import socket
import time
from collections.abc import Generator

import pytest

from tests.support.ports import free_port, release
from tests.support.process import resident_bytes
from tests.support.proxycore import Proxycore
from tests.support.stub_auth import StubAuth
from tests.support.stub_backends import ImapStub
from tests.support.talk import Imap, b64
from tests.support.wait import eventually

_CONFIG = """\
worker_processes 1;
error_log @DIR@/logs/error.log notice;
events {{
    worker_connections 8192;
}}
mail {{
    auth_http 127.0.0.1:{auth}/auth;
    server {{ listen 127.0.0.1:{patient}; protocol imap; imap_auth plain login; timeout 60s; }}
    server {{ listen 127.0.0.1:{hasty}; protocol imap; imap_auth plain login; timeout 2s; }}
}}
"""
_CROWD = 1000
_LARGEST_PER_SESSION = 16 * 1024
"""A session before login has one buffer of a page (imap_client_buffer) and its own few objects."""
_PROMPT_S = 3.0
"""A login in the middle of it: far below what any mail program waits, on a machine that is busy."""
_SLACK = 8 * 1024 * 1024
"""What Python's allocator keeps of the peak of a moment."""

_ENDLESS = {
    "line without end": "a LOGIN " + "x" * 65_536,
    "giant literal": "a LOGIN {999999999+}\r\n" + "x" * 65_536,
    "many literals": "a LOGIN {4294967295}\r\n" * 500,
    "parentheses": "a FETCH " + "(" * 65_536,
    "commands": "a NOOP\r\n" * 8_000,
    "errors": "a ((((\r\n" * 8_000,
    "exchanges begun and left": "a AUTHENTICATE LOGIN\r\n*\r\n" * 2_000,
    "half exchanges": f"a AUTHENTICATE LOGIN\r\n{b64('u')}\r\n*\r\n" * 2_000,
    "bad base64": "a AUTHENTICATE PLAIN ====!!\r\n" * 2_000,
    "spaces": "a" + " " * 65_536,
    "zeros": "\0" * 65_536,
}


class Field:
    """A daemon with one worker, where it listens, and who logs in meanwhile."""

    def __init__(self, daemon: Proxycore, patient: int, hasty: int) -> None:
        self.daemon = daemon
        self.patient = patient
        """Port whose ``timeout`` is long."""
        self.hasty = hasty
        """Port whose ``timeout`` is short."""

    def resident(self) -> int:
        """Give the worker's memory."""
        (worker,) = self.daemon.workers()
        return resident_bytes(worker)

    def slowest_login(self, count: int = 20) -> float:
        """Log in so many times; gives the longest time one took."""
        slowest = 0.0
        for _ in range(count):
            begun = time.monotonic()
            with Imap.greeted(self.patient) as talk:
                assert talk.ask("a LOGIN u p") == "a OK login ok"
            slowest = max(slowest, time.monotonic() - begun)
        return slowest


@pytest.fixture(scope="module")
def field() -> Generator[Field, None, None]:
    patient, hasty = free_port(), free_port()
    with ImapStub() as backend:
        answer = {"Auth-Server": "127.0.0.1", "Auth-Port": str(backend.port)}
        with StubAuth(lambda _: answer) as auth:
            config = _CONFIG.format(auth=auth.port, patient=patient, hasty=hasty)
            with Proxycore.standalone(config, [patient, hasty]) as daemon:
                found = Field(daemon, patient, hasty)
                found.slowest_login()
                yield found
                assert "internal error" not in daemon.log()
    release(patient)
    release(hasty)


@contextlib.contextmanager
def _crowd(port: int, size: int = _CROWD) -> Generator[list[socket.socket], None, None]:
    """Connect so many clients and wait for their greetings."""
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(size):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 8))
            clients.append(client)
        for client in clients:
            assert client.recv(100).startswith(b"* OK")
            client.setblocking(False)
        yield clients


def _push(client: socket.socket, octets: bytes) -> None:
    """Send what the socket takes at once, and drop what came."""
    with contextlib.suppress(BlockingIOError, ConnectionError):
        client.send(octets)
    with contextlib.suppress(BlockingIOError, ConnectionError):
        client.recv(65_536)


def test_a_crowd_that_says_nothing_costs_little_and_disturbs_nobody(field: Field) -> None:
    before = field.resident()
    with _crowd(field.patient):
        assert field.resident() - before < _CROWD * _LARGEST_PER_SESSION + _SLACK
        assert field.slowest_login() < _PROMPT_S


@pytest.mark.parametrize("kind", _ENDLESS)
def test_endless_input_is_bounded_and_disturbs_nobody(field: Field, kind: str) -> None:
    octets = _ENDLESS[kind].encode("latin-1")
    before = field.resident()
    with _crowd(field.patient, 200) as clients:
        until = time.monotonic() + 1
        slowest = 0.0
        while time.monotonic() < until:
            for client in clients:
                _push(client, octets)
            slowest = max(slowest, field.slowest_login(1))
        assert slowest < _PROMPT_S
        assert field.resident() - before < 200 * _LARGEST_PER_SESSION + _SLACK


def test_octet_by_octet_is_bounded_and_disturbs_nobody(field: Field) -> None:
    before = field.resident()
    with _crowd(field.patient) as clients:
        for octet in b"a LOGIN {3}":
            for client in clients:
                _push(client, bytes((octet,)))
        assert field.slowest_login() < _PROMPT_S
        assert field.resident() - before < _CROWD * _LARGEST_PER_SESSION + _SLACK


def test_dripping_octets_does_not_prolong_the_time_to_log_in(field: Field) -> None:
    begun = time.monotonic()
    with _crowd(field.hasty, 100) as clients:
        left = dict.fromkeys(clients)
        while left and time.monotonic() - begun < 8:
            readable, _, _ = select.select([*left], [], [], 0.1)
            for client in readable:
                with contextlib.suppress(ConnectionError):
                    assert client.recv(100) == b"", "it ends without a word"
                del left[client]
            for client in left:
                with contextlib.suppress(OSError):
                    client.send(b"x")
    assert not left
    assert 1.5 < time.monotonic() - begun < 6


def test_sessions_that_begin_and_end_leave_nothing_behind(field: Field) -> None:
    def rounds(count: int) -> None:
        for _ in range(count):
            with _crowd(field.patient, 250) as clients:
                for client in clients:
                    _push(client, b"a AUTHENTICATE LOGIN\r\nQUJD\r\n")
            eventually(lambda: field.slowest_login(1) < _PROMPT_S, "the worker has caught up")

    rounds(2)
    before = field.resident()
    rounds(8)
    assert field.resident() - before < 2 * 1024 * 1024
