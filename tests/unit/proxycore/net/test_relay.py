"""The pipe after login, with real sockets: every octet, in order, and the end of a session."""

import hashlib
import os
import random
import socket
from collections.abc import Callable
from contextlib import suppress

import pytest

from proxycore.contract.reasons import CloseReason
from proxycore.contract.stats import BYTES_TO_BACK, BYTES_TO_FRONT, SESSIONS_CLOSED, series
from proxycore.net import relay as relay_module
from proxycore.net.relay import Relay
from tests.unit.proxycore.net.house import House, Peer

MIB = 1 << 20


@pytest.fixture
def ends(house: House) -> tuple[Peer, Peer]:
    """A logged-in session: the client, the mail server."""
    house.serve()
    return house.login()


def session(house: House) -> Relay:
    (live,) = house.engine.ledger.live.values()
    assert isinstance(live, Relay)
    return live


def closed(house: House, reason: CloseReason) -> int:
    return house.engine.ledger.counts.get(series(SESSIONS_CLOSED, "main", reason.value), 0)


def exchange(house: House, ways: list[tuple[Peer, Peer, bytes, Callable[[], int]]]) -> None:
    """Send all the data at the same time; each way gives source, sink, octets and a chunk size."""
    left = [memoryview(octets) for _, _, octets, _ in ways]
    digests = [hashlib.sha256() for _ in ways]
    counts = [0 for _ in ways]

    def progress() -> bool:
        for i, (source, sink, _, chunk) in enumerate(ways):
            if left[i]:
                with suppress(BlockingIOError):
                    left[i] = left[i][source.sock.send(left[i][: chunk()]) :]
            sink.read()
            digests[i].update(sink.received)
            counts[i] += len(sink.received)
            sink.received = b""
        return all(counts[i] >= len(way[2]) for i, way in enumerate(ways))

    house.pump(progress, f"all octets, {counts}", within_s=60)
    for i, way in enumerate(ways):
        assert counts[i] == len(way[2])
        assert digests[i].digest() == hashlib.sha256(way[2]).digest()


@pytest.mark.parametrize("seed", range(3))
def test_octets_pass_unchanged_both_ways_at_once_however_they_are_cut(
    house: House, ends: tuple[Peer, Peer], seed: int
) -> None:
    client, mail = ends
    chance = random.Random(seed)
    sizes = [1, 7, 4096, 16_383, 16_384, 16_385, 65_536, MIB]
    down, up = chance.randbytes(3 * MIB + seed), chance.randbytes(2 * MIB + seed)
    before = session(house).octets()[0]
    ways = [
        (mail, client, down, lambda: chance.choice(sizes)),
        (client, mail, up, lambda: chance.choice(sizes)),
    ]
    exchange(house, ways)
    assert session(house).octets()[0] - before == len(down)
    assert session(house).octets()[1] == len(up)
    assert house.engine._context.pipes.lent == 0


@pytest.mark.parametrize(
    "octets", [b"a\n.\nb\r.\r\n.\r\n", bytes(range(256)), b"a2 LOGIN x y\r\n* BYE\r\n"]
)
def test_nothing_is_understood_or_repaired(
    house: House, ends: tuple[Peer, Peer], octets: bytes
) -> None:
    client, mail = ends
    client.send(octets)
    assert mail.expect(octets) == octets
    mail.send(octets)
    assert client.expect(octets) == octets


def test_large_amounts_go_by_splice(
    house: House, ends: tuple[Peer, Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, mail = ends
    spliced: list[int] = []
    splice = os.splice

    def watched(*args: int, **options: int) -> int:
        spliced.append(splice(*args, **options))
        return spliced[-1]

    monkeypatch.setattr(os, "splice", watched)
    exchange(house, [(mail, client, os.urandom(4 * MIB), lambda: MIB)])
    assert sum(spliced) > 2 * MIB


def test_a_flow_that_filled_a_pipe_goes_on_with_one(
    house: House, ends: tuple[Peer, Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, mail = ends
    read: list[int] = []

    def watched(fd: int, most: int) -> bytes:
        read.append(len(octets := os.read(fd, most)))
        return octets

    def pass_on(size: int) -> list[int]:
        """Give the sizes of what was read, not spliced, on the way to the client."""
        read.clear()
        octets = os.urandom(size)
        mail.send(octets)
        house.pump(lambda: (client.read() or True) and len(client.received) >= size, "octets")
        assert client.received == octets
        client.received = b""
        return list(read)

    monkeypatch.setattr(relay_module, "read", watched)
    # within the window of a young connection, so that they arrive in one piece
    assert pass_on(48_000) == [16_384]
    assert pass_on(48_000) == []
    # this one began with a pipe, too, and did not fill a read: the next is a small one again
    assert pass_on(100) == []
    assert pass_on(100) == [100]
    assert house.engine._context.pipes.lent == 0


def test_without_pipes_octets_are_copied(house: House, ends: tuple[Peer, Peer]) -> None:
    client, mail = ends
    house.engine._context.pipes.lent = 1_000
    exchange(house, [(mail, client, os.urandom(MIB), lambda: MIB)])
    house.engine._context.pipes.lent = 0


@pytest.mark.parametrize("pipes_left", [True, False])
def test_a_reader_that_does_not_read_stops_the_writer(
    house: House, ends: tuple[Peer, Peer], pipes_left: bool
) -> None:
    client, mail = ends
    if not pipes_left:
        house.engine._context.pipes.lent = 1_000
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    octets, sent = os.urandom(64 * MIB), 0
    view = memoryview(octets)
    stuck = 0
    while stuck < 50:
        try:
            sent += mail.sock.send(view[sent : sent + MIB])
            stuck = 0
        except BlockingIOError:
            stuck += 1
        house.reactor.step(0)
    # what is on its way: the kernel's buffers of two connections, and at most one pipe
    assert sent < 32 * MIB
    assert house.engine._context.pipes.lent in (0, 1, 1_000)
    # a stuck session costs no wake-ups
    assert house.reactor._epoll.poll(0) == []
    rest = octets[:sent]
    house.pump(
        lambda: (client.read() or True) and len(client.received) >= sent, "what was sent", 30
    )
    assert client.received == rest
    house.engine._context.pipes.lent = 0


def test_when_the_mail_server_ends_the_client_gets_everything_first(
    house: House, ends: tuple[Peer, Peer]
) -> None:
    client, mail = ends
    octets = os.urandom(2 * MIB)
    mail.send(octets)
    mail.close()
    assert client.expect_end() == octets
    house.pump(lambda: house.engine.open_count == 0, "the session's end")
    assert closed(house, CloseReason.DONE) == 1


def test_a_client_that_half_closes_gets_the_last_answer(
    house: House, ends: tuple[Peer, Peer]
) -> None:
    client, mail = ends
    octets = os.urandom(MIB)
    client.send(b"a9 LOGOUT\r\n").sock.shutdown(socket.SHUT_WR)
    assert mail.expect_end() == b"a9 LOGOUT\r\n"
    mail.send(octets)
    house.pump(lambda: (client.read() or True) and len(client.received) == MIB, "the answer")
    assert client.received == octets
    client.received = b""
    mail.close()
    assert client.expect_end() == b""
    assert closed(house, CloseReason.DONE) == 1


def test_a_mail_server_silent_after_a_half_close_is_not_waited_for_for_ever(
    house: House, ends: tuple[Peer, Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "HALF_CLOSE_S", 0.2)
    client, mail = ends
    client.sock.shutdown(socket.SHUT_WR)
    mail.expect_end()
    assert client.expect_end() == b""
    house.pump(lambda: house.engine.open_count == 0, "the session's end")
    assert closed(house, CloseReason.DONE) == 1
    assert house.reactor.timer_count == 1


def test_a_client_that_goes_away_takes_its_mail_server_connection_along(
    house: House, ends: tuple[Peer, Peer]
) -> None:
    client, mail = ends
    client.close()
    assert mail.expect_end() == b""
    mail.close()
    house.pump(lambda: house.engine.open_count == 0, "the session's end")


def test_what_a_client_sent_before_its_connection_broke_is_delivered(
    house: House, ends: tuple[Peer, Peer]
) -> None:
    client, mail = ends
    mail.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    client.send(b"a2 NOOP\r\n")
    mail.expect(b"NOOP\r\n")
    client.send(b"a3 LOGOUT\r\n")
    house.idle()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    assert mail.expect_end() == b"a3 LOGOUT\r\n"
    house.pump(lambda: house.engine.open_count == 0, "the session's end")
    assert closed(house, CloseReason.RELAY_ERROR) == 1


def test_the_last_word_of_a_mail_server_that_refuses_more_is_delivered(
    house: House, ends: tuple[Peer, Peer]
) -> None:
    client, mail = ends
    mail.send(b"* BYE too busy\r\n")
    # unread octets make the kernel answer with RST
    client.send(b"x" * 100)
    house.pump(lambda: session(house).octets()[1] == 100, "octets at the mail server")
    mail.close()
    client.send(b"more\r\n")
    assert client.expect_end() == b"* BYE too busy\r\n"
    house.pump(lambda: house.engine.open_count == 0, "the session's end")


def test_a_broken_side_that_cannot_be_read_yet_costs_no_wake_ups(
    house: House, ends: tuple[Peer, Peer]
) -> None:
    client, mail = ends
    mail.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    octets, sent, stuck = os.urandom(64 * MIB), 0, 0
    while stuck < 50:
        try:
            sent += client.sock.send(octets[sent : sent + MIB])
            stuck = 0
        except BlockingIOError:
            stuck += 1
        house.reactor.step(0)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    house.idle(5)
    assert house.reactor._epoll.poll(0) == []
    assert house.engine.open_count == 1
    taken = mail.expect_end()
    # what had reached us when the connection broke is delivered, and nothing else
    assert octets.startswith(taken)
    assert len(taken) > 0
    house.pump(lambda: house.engine.open_count == 0, "the session's end")


@pytest.mark.parametrize("held", [False, True])
def test_a_disconnected_session_is_closed_on_both_sides_at_once(
    house: House, ends: tuple[Peer, Peer], held: bool
) -> None:
    client, mail = ends
    if held:
        stuck = 0
        while stuck < 50:
            try:
                mail.sock.send(b"x" * MIB)
                stuck = 0
            except BlockingIOError:
                stuck += 1
            house.reactor.step(0)
    assert house.engine.kick(["other.1", "boot.99", "boot.x", "boot.1"]) == 1
    house.idle()
    client.expect_end()
    mail.expect_end()
    assert house.engine.open_count == 0
    assert closed(house, CloseReason.KICKED) == 1
    assert house.engine._context.pipes.lent == 0


def test_an_idle_session_ends_after_proxy_timeout_and_traffic_of_either_side_prevents_it(
    house: House,
) -> None:
    house.serve(proxy_timeout_ms=86_400_000)
    client, mail = house.login()
    live = session(house)
    live.end_if_idle(house.reactor.now + 80_000)
    mail.send(b"* 1 EXISTS\r\n")
    client.expect(b"EXISTS\r\n")
    live.end_if_idle(house.reactor.now + 80_001)
    live.end_if_idle(house.reactor.now + 160_000)
    assert not live.over
    client.send(b"a2 NOOP\r\n")
    mail.expect(b"NOOP\r\n")
    live.end_if_idle(house.reactor.now + 160_001)
    live.end_if_idle(house.reactor.now + 246_400)
    assert not live.over
    live.end_if_idle(house.reactor.now + 246_402)
    assert live.over
    assert client.expect_end() == b""
    assert mail.expect_end() == b""
    assert closed(house, CloseReason.IDLE_TIMEOUT) == 1
    assert (
        "client timed out (110: Connection timed out) while proxying, client:" in house.log.text()
    )


def test_the_engine_sweeps_by_itself(house: House) -> None:
    house.serve(proxy_timeout_ms=300)
    client, _mail = house.login()
    assert client.expect_end() == b""
    assert closed(house, CloseReason.IDLE_TIMEOUT) == 1


def test_octets_are_counted_exactly_and_reported_for_sessions_that_moved(house: House) -> None:
    house.serve()
    (one, one_mail), (_two, two_mail) = house.login(), house.login(b"zoe")
    ledger = house.engine.ledger
    opened, counted, ended = ledger.take_changes()
    assert [record.user for record in opened] == ["alice", "zoe"]
    assert (counted, ended) == ([], [])
    assert ledger.take_changes() == ([], [], [])
    one_mail.send(b"x" * 40_000)
    house.pump(lambda: (one.read() or True) and len(one.received) == 40_000, "octets")
    one.send(b"a2 NOOP\r\n")
    one_mail.expect(b"NOOP\r\n")
    _, counted, _ = ledger.take_changes()
    greeting = len(b"a1 OK logged in\r\n")
    assert [(c.session, c.bytes_to_front, c.bytes_to_back) for c in counted] == [
        ("boot.1", 40_000 + greeting, 9)
    ]
    assert ledger.counts[series(BYTES_TO_FRONT, "main")] == 40_000 + 2 * greeting
    assert ledger.counts[series(BYTES_TO_BACK, "main")] == 9
    two_mail.close()
    house.pump(lambda: len(ledger.live) == 1, "the session's end")
    assert ledger.take_changes() == ([], [], ["boot.2"])
    assert [record.session for record in ledger.records()] == ["boot.1"]
