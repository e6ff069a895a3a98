"""Thousands of handshakes that never end: memory is bounded and other logins are not slowed."""

import resource
import socket
from collections.abc import Iterator
from time import monotonic, perf_counter

import pytest

from proxycore.contract.reasons import CloseReason
from tests.unit.proxycore.net.house import House
from tests.unit.proxycore.net.tls.client import Client
from tests.unit.proxycore.net.tls.house import apply, block, client_of

MANY = 5_000
READY = b"* OK IMAP4 ready\r\n"
_MOST_BYTES_EACH = 20_000


@pytest.fixture
def descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3 * MANY:
        pytest.skip("not enough descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3 * MANY), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def login_s(house: House) -> float:
    """Give how long a client takes from connecting to its greeting inside TLS."""
    began = perf_counter()
    client = client_of(house, "127.0.0.9").shake()
    client.expect(READY)
    took = perf_counter() - began
    client.close()
    return took


@pytest.mark.slow
@pytest.mark.usefixtures("descriptors")
@pytest.mark.parametrize("octets", ["nothing", "half a hello"])
def test_half_open_handshakes(house: House, octets: str) -> None:
    apply(house, block(house), ssl=True, connections=10_000)
    _, hello = Client().feed(b"")
    begin = b"" if octets == "nothing" else hello[: len(hello) // 2]
    before_s = sorted(login_s(house) for _ in range(50))[25]
    socks, before = [], resident_bytes()
    try:
        for i in range(MANY):
            source = f"127.1.{i // 50}.{i % 50 + 1}"
            sock = socket.create_connection(house.address, source_address=(source, 0))
            sock.sendall(begin)
            socks.append(sock)
            if i % 8 == 0:
                house.idle(8)
        house.pump(lambda: house.engine.open_count >= MANY, "all are accepted")
        house.idle()
        assert (resident_bytes() - before) / MANY < _MOST_BYTES_EACH
        with_s = sorted(login_s(house) for _ in range(50))[25]
        assert with_s < 3 * before_s + 0.005
        began = monotonic()
        assert house.engine.close_sessions(CloseReason.SHUTDOWN) >= MANY
        assert monotonic() - began < 5
    finally:
        for sock in socks:
            sock.close()
