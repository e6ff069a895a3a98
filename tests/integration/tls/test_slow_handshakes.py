"""Handshakes that take their time, thousands at once: nobody else waits, nothing is kept."""

import contextlib
import json
import re
import resource
import socket
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.tls.stage import Block, daemon
from tests.support.authserver import REFUSED, AuthServer
from tests.support.process import resident_bytes
from tests.support.proxycore import Proxycore
from tests.support.strangers import trusting
from tests.support.talk import Imap
from tests.support.wait import eventually

pytestmark = [pytest.mark.slow]

HALF_OPEN = 5_000
PER_ADDRESS = 100
"""As many as one address may always have before login."""
TIMEOUT_S = 12
"""Longer than it takes to open them all on a busy machine."""
SHORT_S = 2

_TICKS_PER_S = 100
_HANDSHAKE = b"\x16"
_CLIENT = trusting()


def client_hello() -> bytes:
    """Give a whole ClientHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        _CLIENT.wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()


@dataclass
class House:
    """The daemon with one worker, and its doors."""

    proxy: Proxycore
    block: Block
    impatient: Block

    @property
    def worker(self) -> int:
        (pid,) = self.proxy.workers()
        return pid

    def cpu_s(self) -> float:
        """CPU time the worker has used."""
        stat = Path(f"/proc/{self.worker}/stat").read_text(encoding="ascii")
        return sum(int(word) for word in stat.rpartition(")")[2].split()[11:13]) / _TICKS_PER_S

    def reasons(self) -> Counter[str]:
        """Tell why sessions ended, by the access log."""
        text = (self.proxy.directory / "logs" / "access.json").read_text()
        # the last one may be under way
        return Counter(json.loads(line)["reason"] for line in text.split("\n")[:-1])

    def log_in(self, *, source: str = "127.0.0.2") -> None:
        """Log in over TLS, from an address that nothing else comes from."""
        with Imap(self.block.implicit, source=source) as client:
            client.seal(_CLIENT)
            assert client.line().startswith("* OK")
            assert client.ask("a LOGIN alice wrong") == "a NO Invalid login or password"

    def logins(self, count: int = 20) -> tuple[float, float]:
        """Log in so many times; give the longest one, and the worker's CPU time for all."""
        before, longest = self.cpu_s(), 0.0
        for _ in range(count):
            began = time.monotonic()
            self.log_in()
            longest = max(longest, time.monotonic() - began)
        return longest, self.cpu_s() - before


@pytest.fixture
def many_files() -> Iterator[int]:
    """Let this process and the daemon have as many files as they may; give how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


_BY_DEFAULT = "prelogin_sessions 8192;"


@pytest.fixture
def house(many_files: int, request: pytest.FixtureRequest) -> Iterator[House]:
    block, impatient = (
        Block(f"timeout {seconds}s; access_log @DIR@/logs/access.json;")
        for seconds in (TIMEOUT_S, SHORT_S)
    )
    with (
        AuthServer(lambda _: REFUSED) as auth,
        daemon(
            [block, impatient], auth=auth.port, limits=getattr(request, "param", _BY_DEFAULT)
        ) as proxy,
    ):
        yield House(proxy, block, impatient)


@contextlib.contextmanager
def half_open(
    port: int, count: int, hello: bytes, *, each: int = PER_ADDRESS, answered: bool = False
) -> Iterator[list[socket.socket]]:
    """Begin handshakes and leave them at that; ``each``: so many come from one address."""
    with contextlib.ExitStack() as all_of_them:
        sockets = []
        for i in range(count):
            number = 300 + i // each
            source = f"127.1.{number // 250}.{number % 250 + 1}"
            sock = socket.create_connection(("127.0.0.1", port), 20, (source, 0))
            sockets.append(all_of_them.enter_context(sock))
            sock.sendall(hello)
        for sock in sockets if answered else ():
            assert sock.recv(1) == _HANDSHAKE
        yield sockets


@pytest.mark.parametrize(
    ("left_out", "kilobytes_each"),
    [
        # nothing but our own objects: OpenSSL does not know of them yet
        pytest.param(20, 12, id="in the middle of a ClientHello"),
        # 44 kB are OpenSSL's
        pytest.param(0, 64, id="answered"),
    ],
)
def test_thousands_of_half_open_handshakes_are_nobody_else_s_burden(
    house: House, many_files: int, left_out: int, kilobytes_each: int
) -> None:
    hello = client_hello()
    hello = hello[: len(hello) - left_out]
    # the daemon has one file for each, this process as well
    count = min(HALF_OPEN, many_files - 500)
    if count < HALF_OPEN:
        print(f"{count} half-open handshakes: no more files may be opened here ({many_files})")
    house.logins()
    alone_s, alone_cpu_s = house.logins()
    before = resident_bytes(house.worker)
    with half_open(house.block.implicit, count, hello, answered=not left_out) as sockets:
        # a login comes behind all of them in the queue of the socket
        beside_s, beside_cpu_s = house.logins()
        assert beside_s < 1 + 10 * alone_s
        assert beside_cpu_s < 0.3 + 3 * alone_cpu_s
        with_them = resident_bytes(house.worker)
        assert (with_them - before) / count < kilobytes_each * 1024
        eventually(
            lambda: house.reasons()["tls_timeout"] == count,
            "all are ended by the time limit",
            within_s=3 * TIMEOUT_S,
        )
        assert not any(_is_open(sock) for sock in sockets)
    house.logins()
    if not left_out:
        eventually(
            lambda: resident_bytes(house.worker) - before < (with_them - before) / 3,
            "most of their memory is given back to the system",
            within_s=15,
        )
    # what they had is used again: a second flood takes no more than the first
    with half_open(house.block.implicit, count, hello, answered=not left_out):
        house.logins()
        assert resident_bytes(house.worker) < with_them * 1.15


@pytest.mark.parametrize(
    ("house", "kept"),
    [
        ("prelogin_sessions_per_address 100;", 100),
        # nobody has more than a fair share of the second half
        ("prelogin_sessions 400;", 200),
    ],
    indirect=["house"],
)
def test_one_address_cannot_have_them_all(house: House, kept: int) -> None:
    with half_open(house.block.implicit, 300, client_hello()[:-20], each=300) as sockets:
        eventually(
            lambda: house.reasons()["too_many_sessions"] == 300 - kept,
            "those beyond the limit are turned away",
        )
        assert house.proxy.log_contains("(setting prelogin_sessions_per_address")
        house.log_in()
        assert sum(_is_open(sock) for sock in sockets) == kept


def _is_open(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        while sock.recv(4096):
            pass
    except BlockingIOError:
        return True
    except ConnectionError:
        pass
    return False


@pytest.mark.parametrize(
    ("mode", "phase"), [("implicit", "SSL handshaking"), ("starttls", "in starttls state")]
)
def test_octets_one_by_one_do_not_stretch_the_time(house: House, mode: str, phase: str) -> None:
    """The limit is for the whole handshake, not for each read."""
    hello = client_hello()
    door = house.impatient.door(mode)
    with socket.create_connection(("127.0.0.1", door.port), 5) as sock:
        began = time.monotonic()
        if mode == "starttls":
            sock.settimeout(5)
            assert sock.recv(100).startswith(b"* OK")
            sock.sendall(b"a STARTTLS\r\n")
            assert sock.recv(100).startswith(b"a OK")
        sock.settimeout(0.1)
        sent = 0
        while time.monotonic() - began < 10 * SHORT_S:
            try:
                if not sock.recv(1):
                    break
            except TimeoutError:
                sock.sendall(hello[sent : sent + 1])
                sent += 1
            except ConnectionError:
                break
        took_s = time.monotonic() - began
    assert SHORT_S - 0.5 < took_s < 5 * SHORT_S
    assert sent > 5
    eventually(lambda: house.reasons()["tls_timeout"] == 1, "it is counted as what it was")
    assert re.search(rf"timed out.* while {phase}", house.proxy.log())
