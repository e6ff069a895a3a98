"""One client's handshakes do not take a worker from all others."""

import pytest

from proxycore.contract.process import Process
from proxycore.contract.reasons import CloseReason
from proxycore.net.prelogin import FAIR_HANDSHAKES_AT_ONCE, HANDSHAKES_AT_ONCE
from proxycore.policy.pace import Pace
from tests.unit.proxycore.net.house import House
from tests.unit.proxycore.net.tls.client import Client
from tests.unit.proxycore.net.tls.house import TlsPeer, client_of, serve

READY = b"* OK IMAP4 ready\r\n"


def busy(house: House, fair: Pace) -> None:
    """Have the worker do as many handshakes as it can; ``fair`` is each client's share."""
    gate = house.engine._context.gate
    gate.all_handshakes = Pace(0.001, 0)
    gate.pace = fair


def waiting(house: House) -> TlsPeer:
    """Give a client whose handshake waits, for longer than the test."""
    busy(house, Pace(0.001, 1))
    client_of(house).shake().expect(READY)
    client = client_of(house).begin()
    house.pump(lambda: house.engine.open_count == 2, "it is accepted")
    house.idle()
    client.read()
    assert client.tls is not None
    assert not client.tls.done
    return client


def test_a_client_beyond_its_rate_waits_and_others_do_not(house: House) -> None:
    serve(house, implicit=True)
    client = waiting(house)
    client_of(house, "127.0.0.2").shake().expect(READY)
    client.read()
    assert client.tls is not None
    assert not client.tls.done


@pytest.mark.parametrize("implicit", [True, False])
def test_a_turn_comes(house: House, implicit: bool) -> None:
    serve(house, implicit=implicit, starttls="on")
    busy(house, Pace(20, 1))
    began = house.reactor.now
    for _ in range(3):
        client = client_of(house)
        if not implicit:
            client.expect(READY)
            client.send(b"1 STARTTLS\r\n").expect(b"1 OK completed\r\n")
        client.shake()
        client.send(b"2 NOOP\r\n").expect(b"2 OK completed\r\n")
    assert house.reactor.now - began > 0.08


def test_a_hello_in_pieces_has_one_turn(house: House) -> None:
    serve(house, implicit=True)
    busy(house, Pace(20, 1))
    client_of(house).shake().expect(READY)
    client = client_of(house)
    client.tls = Client()
    _, hello = client.tls.feed(b"")
    for i in range(0, len(hello), 100):
        client.send_raw(hello[i : i + 100])
        house.idle(3)
    client.shake().expect(READY)


def test_who_waits_and_leaves_is_gone(house: House) -> None:
    serve(house, implicit=True)
    waiting(house).close()
    house.pump(lambda: house.engine.open_count == 1, "gone")


def test_who_waits_is_closed_by_the_operator_and_by_time(house: House) -> None:
    serve(house, implicit=True, timeout_ms=300)
    client = waiting(house)
    assert client.expect_end() == b""
    other = client_of(house).begin()
    house.pump(lambda: house.engine.open_count >= 1, "accepted")
    house.idle()
    house.engine.close_sessions(CloseReason.SHUTDOWN)
    assert other.expect_end() == b""


def test_who_waits_cannot_fill_memory(house: House) -> None:
    serve(house, implicit=True)
    client = waiting(house)
    client.send_raw(b"\x16\x03\x01\x40\x00" + b"\x01\x00\x3f\xfc" + b"\0" * 60_000)
    client.expect_end()


def test_exempt_addresses_do_not_wait(house: House) -> None:
    serve(house, implicit=True)
    gate = house.engine._context.gate
    gate.configure(Process(prelogin_exempt=("127.0.0.0/8",)))
    busy(house, Pace(0.001, 1))
    for _ in range(3):
        client_of(house).shake().expect(READY)


def test_nobody_waits_while_the_worker_can_do_them_all(house: House) -> None:
    serve(house, implicit=True)
    gate = house.engine._context.gate
    now = house.reactor.now
    assert not any(gate.handshake_wait_s("192.0.2.1", now) for _ in range(HANDSHAKES_AT_ONCE))
    # what it had before is not held against it
    assert not any(gate.handshake_wait_s("192.0.2.1", now) for _ in range(FAIR_HANDSHAKES_AT_ONCE))
    assert gate.handshake_wait_s("192.0.2.1", now) > 0
    assert gate.handshake_wait_s("192.0.2.2", now) == 0
    assert gate.handshake_wait_s("unix:", now) == 0
    shared = [gate.handshake_wait_s(f"2001:db8::{i:x}", now) for i in range(150)]
    assert any(shared)
    # a hundredth of a second later there is room for five again, whoever comes
    assert gate.handshake_wait_s("192.0.2.1", now + 0.01) == 0
