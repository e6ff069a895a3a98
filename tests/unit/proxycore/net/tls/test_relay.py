"""The relay with TLS on one leg or both, over real sockets."""

import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from proxycore.contract.reasons import CloseReason
from proxycore.contract.stats import SESSIONS_CLOSED, series
from proxycore.net.reactor import READ, WRITE
from proxycore.net.relay import Relay
from proxycore.net.sockets import write
from proxycore.net.tls import relay as relay_module
from proxycore.net.tls.endpoint import Endpoint, Phase
from proxycore.net.tls.relay import TlsRelay
from tests.unit.proxycore.net.house import House, Peer
from tests.unit.proxycore.net.tls.ends import ask_for_new_keys, back_context, front_context, joined

MIB = 1 << 20
FRONT, BACK = front_context(), back_context()
LEGS = [(True, False), (False, True), (True, True)]


class TlsPeer(Peer):
    """A far end that may speak TLS."""

    tls: Endpoint | None = None

    def seal(self, data: bytes) -> bytes:
        return self.tls.write(data) if self.tls else data

    def say(self, data: bytes) -> None:
        self.send(self.seal(data))

    def read(self) -> bool:
        if self.tls is None:
            return super().read()
        before, self.received = self.received, b""
        changed = super().read()
        self.received = before + self.tls.feed(self.received)
        return changed


class Stage:
    """A relayed session with two far ends."""

    def __init__(self, house: House, *, front: bool, back: bool) -> None:
        self.house = house
        house.serve()
        first = house.login()
        (plain,) = house.engine.ledger.live.values()
        assert isinstance(plain, Relay)
        self.block = plain._block
        for peer in first:
            peer.close()
        house.pump(lambda: not house.engine.ledger.live, "the plain session has ended")
        self._before = dict(house.engine.ledger.counts)
        ours, theirs = zip(*(socket.socketpair() for _ in range(2)), strict=True)
        for sock in ours:
            sock.setblocking(False)
        self.client, self.mail = (TlsPeer(house, sock) for sock in theirs)
        front_tls = back_tls = None
        if front:
            front_tls, self.client.tls = joined(FRONT, BACK)
        if back:
            self.mail.tls, back_tls = joined(FRONT, BACK)
        context = self.block.context
        context.ledger.open_count += 1
        self.fds = tuple(sock.detach() for sock in ours)
        for fd in self.fds:
            context.reactor.watch(fd, READ, lambda _fd, _events: None)
        self.relay = TlsRelay(
            self.block,
            context.next_number(),
            front=self.fds[0],
            back=self.fds[1],
            front_mask=READ,
            back_mask=READ,
            client=("192.0.2.1", 1),
            listen="listen",
            login=b"joe",
            upstream="192.0.2.2:143",
            way=self.block.names.way("192.0.2.2:143"),
            started_at=0.0,
        )
        self.relay.use(front_tls, back_tls)

    def closed(self, reason: CloseReason) -> int:
        name = series(SESSIONS_CLOSED, "main", reason.value)
        return self.house.engine.ledger.counts.get(name, 0) - self._before.get(name, 0)


@contextmanager
def staged(house: House, *, front: bool, back: bool) -> Iterator[Stage]:
    stage = Stage(house, front=front, back=back)
    try:
        stage.relay.begin((b"", b""), b"", b"")
        yield stage
    finally:
        stage.relay.end(CloseReason.SHUTDOWN)
        stage.client.close()
        stage.mail.close()


def pour(
    stage: Stage, source: TlsPeer, sink: TlsPeer, data: bytes, chunk: Callable[[], int]
) -> None:
    """Send all of ``data`` while the other end reads it."""
    left, sealed, got = memoryview(data), b"", bytearray()

    def progress() -> bool:
        nonlocal left, sealed
        if not sealed and left:
            size = chunk()
            sealed, left = source.seal(bytes(left[:size])), left[size:]
        if sealed:
            with suppress(BlockingIOError):
                sealed = sealed[source.sock.send(sealed) :]
        sink.read()
        got.extend(sink.received)
        sink.received = b""
        return len(got) >= len(data)

    stage.house.pump(progress, "all octets", within_s=60)
    assert bytes(got) == data


@pytest.mark.parametrize(("front", "back"), LEGS)
def test_octets_pass_unchanged_however_they_are_cut(house: House, front: bool, back: bool) -> None:
    chance = random.Random(7)
    sizes = [1, 7, 4096, 16_383, 16_385, 65_536, MIB]
    down, up = chance.randbytes(3 * MIB), chance.randbytes(2 * MIB)
    with staged(house, front=front, back=back) as stage:
        pour(stage, stage.mail, stage.client, down, lambda: chance.choice(sizes))
        pour(stage, stage.client, stage.mail, up, lambda: chance.choice(sizes))
        assert stage.relay.octets()[0] == len(down)
        assert stage.relay.octets()[1] == len(up)
        assert house.engine._context.pipes.lent == 0


@pytest.mark.parametrize(("front", "back"), LEGS)
def test_a_client_that_does_not_read_stops_the_reading_of_the_mail_server(
    house: House, front: bool, back: bool
) -> None:
    with staged(house, front=front, back=back) as stage:
        sent = 0
        chunk = stage.mail.seal(b"x" * 60_000)
        try:
            for _ in range(1_000):
                while chunk:
                    count = stage.mail.sock.send(chunk)
                    sent, chunk = sent + count, chunk[count:]
                    for _ in range(4):
                        house.step()
                chunk = stage.mail.seal(b"x" * 60_000)
        except BlockingIOError:
            pass
        assert sent < 8 * MIB, "nothing stopped the mail server"
        held = stage.relay._to_front.held
        assert isinstance(held, bytes)
        assert len(held) < 70_000
        client, want = stage.client, stage.relay.octets()[0]
        house.pump(lambda: client.read() and len(client.received) >= want, "all that was read")
        assert set(client.received) == {ord("x")}


def test_what_waited_at_the_driver_goes_first(house: House) -> None:
    stage = Stage(house, front=True, back=False)
    assert stage.relay._front_tls is not None
    reactor = stage.block.context.reactor
    reactor.change(stage.fds[0], WRITE)
    stage.relay._to_back.mask = WRITE
    waiting = stage.relay._front_tls.write(b"first ")
    stage.relay.begin((waiting, b""), b"second", b"third")
    assert stage.client.expect(b"first second") == b"first second"
    assert stage.mail.expect(b"third") == b"third"
    stage.client.say(b"fourth")
    assert stage.mail.expect(b"fourth") == b"fourth"
    stage.relay.end(CloseReason.SHUTDOWN)
    stage.client.close()
    stage.mail.close()


@pytest.mark.parametrize(("front", "back"), LEGS)
def test_the_end_of_the_mail_server_ends_the_client_s_with_close_notify(
    house: House, front: bool, back: bool
) -> None:
    with staged(house, front=front, back=back) as stage:
        stage.mail.say(b"* BYE\r\n")
        stage.mail.sock.shutdown(socket.SHUT_WR)
        assert stage.client.expect_end() == b"* BYE\r\n"
        assert stage.closed(CloseReason.DONE) == 1
        if stage.client.tls is not None:
            assert stage.client.tls.phase is Phase.ENDED


def test_the_last_answer_and_close_notify_are_one_write(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[int] = []

    def counted(fd: int, data: bytes) -> int:
        writes.append(fd)
        return write(fd, data)

    with staged(house, front=True, back=False) as stage:
        monkeypatch.setattr(relay_module, "write", counted)
        stage.mail.say(b"* BYE\r\na OK\r\n")
        stage.mail.sock.shutdown(socket.SHUT_WR)
        assert stage.client.expect_end() == b"* BYE\r\na OK\r\n"
        assert stage.client.tls is not None
        assert stage.client.tls.phase is Phase.ENDED
        assert stage.relay.octets()[0] == len(b"* BYE\r\na OK\r\n")
        assert writes == [stage.fds[0]]
        assert stage.closed(CloseReason.DONE) == 1


@pytest.mark.parametrize("size", [100, 65_586, MIB])
def test_all_that_a_mail_server_said_before_it_ended_arrives(house: House, size: int) -> None:
    data = random.Random(8).randbytes(size)
    with staged(house, front=True, back=False) as stage:
        pour(stage, stage.mail, stage.client, data[:-50], lambda: 60_000)
        stage.mail.say(data[-50:])
        stage.mail.sock.shutdown(socket.SHUT_WR)
        assert stage.client.expect_end() == data[-50:]
        assert stage.closed(CloseReason.DONE) == 1


def test_what_a_client_does_not_take_at_the_end_waits_for_it(house: House) -> None:
    with staged(house, front=True, back=False) as stage:
        sent = 0
        while stage.relay._to_front.held is None:
            assert sent < 10 * MIB
            with suppress(BlockingIOError):
                sent += stage.mail.sock.send(b"x" * 4_000)
            house.step()
        with suppress(BlockingIOError):
            while True:
                sent += stage.mail.sock.send(b"x" * 4_000)
        stage.mail.sock.shutdown(socket.SHUT_WR)
        assert stage.client.expect_end() == b"x" * sent
        assert stage.client.tls is not None
        assert stage.client.tls.phase is Phase.ENDED
        assert stage.closed(CloseReason.DONE) == 1


def test_a_mail_server_that_ended_before_the_relay_began_has_ended(house: House) -> None:
    stage = Stage(house, front=False, back=True)
    assert stage.mail.tls is not None
    assert stage.relay._back_tls is not None
    # with its last words to the driver; the connection itself stays open
    assert stage.relay._back_tls.feed(stage.mail.tls.write(b"bye") + stage.mail.tls.close())
    stage.relay.begin((b"", b""), b"bye", b"")
    assert stage.client.expect_end() == b"bye"
    assert stage.closed(CloseReason.DONE) == 1
    stage.client.close()
    stage.mail.close()


@pytest.mark.parametrize("how", ["close_notify", "bare"])
@pytest.mark.parametrize(("front", "back"), LEGS)
def test_a_client_that_ends_still_gets_its_last_answer(
    house: House, front: bool, back: bool, how: str
) -> None:
    with staged(house, front=front, back=back) as stage:
        stage.client.say(b"a LOGOUT\r\n")
        if stage.client.tls is not None and how == "close_notify":
            stage.client.send(stage.client.tls.close())
        else:
            stage.client.sock.shutdown(socket.SHUT_WR)
        assert stage.mail.expect_end() == b"a LOGOUT\r\n"
        if stage.mail.tls is not None:
            assert stage.mail.tls.phase is Phase.ENDED
        stage.mail.say(b"a OK\r\n")
        assert stage.client.expect(b"a OK") == b"a OK\r\n"
        stage.mail.close()
        stage.client.expect_end()
        assert stage.closed(CloseReason.DONE) == 1


def test_a_record_that_is_not_one_ends_the_session_with_an_alert(house: House) -> None:
    with staged(house, front=True, back=False) as stage:
        sealed = stage.client.seal(b"a NOOP\r\n")
        stage.client.send(sealed[:-1] + bytes((sealed[-1] ^ 1,)))
        assert stage.client.expect_end() == b""
        assert stage.client.tls is not None
        assert stage.client.tls.failure is not None
        assert "bad record mac" in stage.client.tls.failure.reason
        assert stage.mail.expect_end() == b""
        assert stage.closed(CloseReason.RELAY_ERROR) == 1


def test_a_client_that_provokes_answers_and_takes_none_is_cut_off(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "_MOST_ANSWERS_BYTES", 4_096)
    with staged(house, front=True, back=False) as stage:
        client = stage.client
        assert client.tls is not None
        asked = 0
        while not stage.relay.over:
            assert asked < 10_000
            asked += 1
            ask_for_new_keys(client.tls)
            with suppress(BrokenPipeError):
                client.say(b"a")
            house.step()
            stage.mail.read()
        assert stage.closed(CloseReason.RELAY_ERROR) == 1
        assert stage.mail.received == b"a" * len(stage.mail.received)
        client.received = client.sock.recv(65_536)
        assert len(client.received) < asked * 40


def test_a_kicked_client_hears_close_notify(house: House) -> None:
    with staged(house, front=True, back=True) as stage:
        stage.relay.end(CloseReason.KICKED)
        assert stage.client.expect_end() == stage.mail.expect_end() == b""
        for peer in (stage.client, stage.mail):
            assert peer.tls is not None
            assert peer.tls.phase is Phase.ENDED
        assert stage.closed(CloseReason.KICKED) == 1
