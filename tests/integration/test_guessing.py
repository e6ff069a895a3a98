"""Guessing passwords in parallel, and submissions that are left: bounded, whoever is asked.

A session counts against the limits from its accept on, not from its first wrong password, so there
is no moment in which more get through (the bypass that Dovecot's penalty documents).
"""

import contextlib
import os
import selectors
import socket
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass

import pytest

from tests.support.ports import free_port, release
from tests.support.process import resident_bytes
from tests.support.proxycore import Proxycore
from tests.support.stub_auth import Request, StubAuth
from tests.support.talk import Imap, plain
from tests.support.wait import eventually

PARALLEL = 200
LIMIT = 20
WAIT = {"Auth-Status": "Invalid login or password", "Auth-Wait": "60"}
_MIB = 1024 * 1024

_CONFIG = """\
worker_processes {workers};
# postroad: prelogin_sessions_per_address {limit};
error_log @DIR@/logs/error.log notice;
events {{
}}
mail {{
    auth_http 127.0.0.1:{auth}/auth;
    server {{ listen 127.0.0.1:{imap}; protocol imap; imap_auth plain login; }}
    server {{ listen 127.0.0.1:{pop3}; protocol pop3; pop3_auth plain; }}
    server {{ listen 127.0.0.1:{smtp}; protocol smtp; smtp_auth plain login; }}
    server {{
        listen 127.0.0.1:{cached};
        protocol imap;
        imap_auth plain;
        # postroad: auth_http_cache_ttl 60;
    }}
}}
"""


@dataclass
class Range:
    """A daemon to shoot at, and who it asks."""

    daemon: Proxycore
    auth: StubAuth
    imap: int
    pop3: int
    smtp: int
    cached: int

    @property
    def held(self) -> tuple[int, int]:
        """Memory and file descriptors of the only worker."""
        (worker,) = self.daemon.workers()
        return resident_bytes(worker), len(os.listdir(f"/proc/{worker}/fd"))


@contextlib.contextmanager
def _range(
    *, workers: int = 1, limit: int = 0, decide: Callable[[Request], object] = lambda _: WAIT
) -> Generator[Range, None, None]:
    ports = {name: free_port() for name in ("imap", "pop3", "smtp", "cached")}
    with StubAuth(decide) as auth:  # type: ignore[arg-type]
        config = _CONFIG.format(workers=workers, limit=limit, auth=auth.port, **ports)
        daemon = Proxycore.standalone(config, list(ports.values()), workers=workers)
        with daemon:
            yield Range(daemon, auth, **ports)
    for port in ports.values():
        release(port)


def _attack(port: int, tries: Callable[[int], bytes]) -> list[socket.socket]:
    """Connect so often at once; each client says all it has to say before it is greeted."""
    clients = []
    for number in range(PARALLEL):
        client = socket.create_connection(("127.0.0.1", port), 8)
        client.sendall(tries(number))
        clients.append(client)
    return clients


def _turned_away(clients: list[socket.socket], count: int) -> None:
    """Wait until so many connections have ended."""
    ended = 0
    with selectors.DefaultSelector() as selector:
        for client in clients:
            client.settimeout(0)
            selector.register(client, selectors.EVENT_READ)
        while ended < count:
            ready = selector.select(8)
            assert ready, f"{ended} of {count} have ended"
            for key, _ in ready:
                with contextlib.suppress(ConnectionError):
                    if key.fileobj.recv(4096):  # type: ignore[union-attr]
                        continue
                selector.unregister(key.fileobj)
                ended += 1


def _five(number: int) -> bytes:
    lines = (f"a{index} LOGIN joe wrong-{number}-{index}\r\n" for index in range(5))
    return "".join(lines).encode()


@pytest.mark.parametrize("workers", [1, 2])
def test_of_parallel_wrong_logins_no_more_than_the_limit_are_asked_about(workers: int) -> None:
    """Five passwords each, none twice: who is let in to try has to wait after each."""
    most = LIMIT * workers
    with _range(workers=workers, limit=LIMIT) as target, contextlib.ExitStack() as stack:
        clients = _attack(target.imap, _five)
        for client in clients:
            stack.enter_context(client)
        _turned_away(clients, PARALLEL - most)
        eventually(lambda: len(target.auth.requests) >= LIMIT, "those let in have tried")
        assert len(target.auth.requests) <= most
        passwords = [request["Auth-Pass"] for request in target.auth.requests]
        assert all(password.endswith("-0") for password in passwords)


def test_another_address_is_let_in_meanwhile() -> None:
    with _range(limit=LIMIT) as target, contextlib.ExitStack() as stack:
        clients = _attack(target.imap, _five)
        for client in clients:
            stack.enter_context(client)
        _turned_away(clients, PARALLEL - LIMIT)
        with Imap(target.imap, source="127.0.0.2") as talk:
            assert talk.line().startswith("* OK")


def test_the_same_wrong_password_from_everywhere_at_once_is_asked_about_once() -> None:
    everybody_is_here = threading.Event()

    def decide(_: Request) -> object:
        assert everybody_is_here.wait(20)
        return {"Auth-Status": "Invalid login or password"}

    with _range(decide=decide) as target, contextlib.ExitStack() as stack:
        clients = _attack(target.cached, lambda _: b"a LOGIN joe wrong\r\n")
        for client in clients:
            stack.enter_context(client)
        # a later client is answered, so those before it have submitted
        with Imap.greeted(target.cached) as talk:
            assert talk.ask("a NOOP") == "a OK completed"
        everybody_is_here.set()
        _turned_away(clients, PARALLEL)
        assert len(target.auth.requests) == 1


_LEFT = {
    "imap": (
        f"a AUTHENTICATE PLAIN {plain('joe', 'x')}\r\n",
        "a AUTHENTICATE LOGIN\r\nam9l\r\n",
        "a AUTHENTICATE LOGIN\r\nam9l\r\n*\r\n" * 20,
    ),
    "pop3": (
        f"AUTH PLAIN {plain('joe', 'x')}\r\n",
        "AUTH LOGIN\r\nam9l\r\n",
        "AUTH LOGIN\r\nam9l\r\n*\r\n" * 20,
    ),
    "smtp": (
        f"EHLO c\r\nAUTH PLAIN {plain('joe', 'x')}\r\n",
        "AUTH LOGIN\r\nam9l\r\n",
        "AUTH LOGIN\r\nam9l\r\n*\r\n" * 20,
    ),
}
"""Submitted and left before the verdict; left in an exchange; exchanges broken off."""


def test_submissions_and_exchanges_that_are_left_leave_nothing_behind() -> None:
    """Whoever is asked does not answer: only the client's going away ends what was begun."""

    with _range(decide=lambda _: None) as target:

        def leave(port: int, said: bytes) -> None:
            for client in _attack(port, lambda _: said):
                client.close()

        def rounds(count: int) -> None:
            for _ in range(count):
                for protocol, kinds in _LEFT.items():
                    for said in kinds:
                        leave(getattr(target, protocol), said.encode())
            eventually(lambda: target.held[1] <= calm, "every connection is closed", within_s=30)

        with Imap.greeted(target.imap) as talk:
            assert talk.ask("a NOOP") == "a OK completed"
        calm = target.held[1]
        rounds(1)
        before, _ = target.held
        rounds(4)
        assert target.held[0] - before < 4 * _MIB
