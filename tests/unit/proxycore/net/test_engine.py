"""Snapshots, listening sockets, limits and orders; and that nothing is left behind."""

import os
import random
import resource
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from proxycore.contract.protocol import Protocol
from proxycore.contract.reasons import CloseReason
from proxycore.contract.snapshot import AuthHttp, Listen, Server, Snapshot
from proxycore.contract.stats import SESSIONS_ACCEPTED, SESSIONS_CLOSED, series
from proxycore.net import driver as driver_module
from proxycore.net import engine as engine_module
from proxycore.net import listener as listener_module
from proxycore.net import names
from proxycore.net.sockets import Address, address_of
from tests.unit.proxycore.net.house import House, listening, open_fds


def key_of(sock: socket.socket) -> tuple[str, Listen]:
    host, port = sock.getsockname()
    listen = Listen(address=host, port=port)
    return listen.key, listen


def block(name: str, *listens: Listen, auth_port: int = 1, protocol: str = "imap") -> Server:
    return Server(
        name=name,
        protocol=Protocol(protocol),
        listens=listens,
        auth_http=AuthHttp(host="127.0.0.1", port=auth_port),
    )


def accepts(address: tuple[str, int]) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(address) == 0


# --- apply ---


def test_a_changed_block_is_for_new_sessions_and_open_ones_keep_theirs(house: House) -> None:
    house.serve(name="before", timeout_ms=200)
    pinned = house.client()
    house.serve(name="after", timeout_ms=60_000)
    assert pinned.expect_end() == b""
    house.client()
    counts = house.engine.ledger.counts
    assert counts[series(SESSIONS_ACCEPTED, "before")] == 1
    assert counts[series(SESSIONS_ACCEPTED, "after")] == 1
    assert counts[series(SESSIONS_CLOSED, "before", "client_timeout")] == 1


def test_sockets_come_and_go_and_the_unchanged_is_not_touched(house: House) -> None:
    one, two, three = listening(), listening(), listening()
    (one_key, one_listen), (two_key, two_listen), (three_key, three_listen) = map(
        key_of, (one, two, three)
    )
    addresses = [sock.getsockname() for sock in (one, two, three)]
    house.engine.apply(
        Snapshot(servers=(block("a", one_listen, two_listen),)), {one_key: one, two_key: two}
    )
    waiting = house.peer(socket.create_connection(addresses[0]))
    number = one.fileno()
    house.engine.apply(
        Snapshot(servers=(block("b", one_listen), block("c", three_listen, protocol="pop3"))),
        {three_key: three},
    )
    assert one.fileno() == number
    assert not accepts(addresses[1])
    waiting.expect(b"* OK IMAP4 ready\r\n")
    house.peer(socket.create_connection(addresses[2])).expect(b"+OK POP3 ready\r\n")
    house.engine.apply(Snapshot(), {})
    assert not any(map(accepts, addresses))


def test_a_copy_of_a_socket_that_is_held_is_closed_and_a_new_one_replaces_it(
    house: House,
) -> None:
    sock = listening()
    key, listen = key_of(sock)
    snapshot = Snapshot(servers=(block("a", listen),))
    house.engine.apply(snapshot, {key: sock})
    copy = sock.dup()
    house.engine.apply(snapshot, {key: copy})
    assert (sock.fileno() >= 0, copy.fileno()) == (True, -1)
    new = listening()
    address = new.getsockname()
    house.engine.apply(snapshot, {key: new})
    assert sock.fileno() == -1
    house.peer(socket.create_connection(address)).expect(b"ready\r\n")


def test_a_missing_socket_changes_nothing(house: House) -> None:
    house.serve()
    with pytest.raises(ValueError, match=r"no listening socket for 127\.0\.0\.1:9"):
        house.engine.apply(Snapshot(servers=(block("x", Listen(address="127.0.0.1", port=9)),)), {})
    house.client()


def test_a_listening_socket_kept_by_another_process_wakes_this_one_no_more(house: House) -> None:
    sock = listening()
    key, listen = key_of(sock)
    address, copy = sock.getsockname(), sock.dup()
    house.engine.apply(Snapshot(servers=(block("a", listen),)), {key: sock})
    house.engine.stop_accepting()
    with socket.create_connection(address):
        assert house.reactor._epoll.poll(0.05) == []
    copy.close()


def test_an_auth_service_by_name_is_resolved_when_applied(house: House) -> None:
    house.serve(auth={"host": "localhost"})
    house.login()


def test_a_name_that_does_not_resolve_fails_logins_and_nothing_else(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", fail)
        house.serve(auth={"host": "auth.invalid"})
    assert 'auth http server "auth.invalid" could not be resolved' in house.log.text()
    client = house.client()
    client.send(b"a1 LOGIN u p\r\n")
    assert client.expect_end() == b"* BAD internal server error\r\n"


def test_a_name_is_tried_again_until_it_resolves(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "RETRY_S", 0.02)
    real, failures = names.resolve, iter([True, True])

    def flaky(host: str, port: int) -> list[Address]:
        if next(failures, False):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real(host, port)

    monkeypatch.setattr(names, "resolve", flaky)
    monkeypatch.setattr(engine_module, "resolve", flaky)
    house.serve(auth={"host": "localhost"})
    (client,) = house.engine._clients.values()
    assert client.addresses == [[]]
    house.pump(lambda: client.addresses != [[]], "an address")
    house.login()


def test_a_name_that_moved_is_followed_when_a_snapshot_is_applied(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.serve(auth={"host": "localhost"})
    (before,) = house.engine._clients.values()
    house.serve(auth={"host": "localhost"})
    assert list(house.engine._clients.values()) == [before]
    moved = address_of("127.0.0.2", 25)
    monkeypatch.setattr(engine_module, "resolve", lambda _host, _port: [moved])
    house.serve(auth={"host": "localhost"})
    (after,) = house.engine._clients.values()
    assert (after.addresses, before.retired) == ([[moved]], True)


def test_an_auth_service_on_a_unix_socket(house: House, tmp_path: os.PathLike[str]) -> None:
    path = f"{tmp_path}/auth"
    with socket.socket(socket.AF_UNIX) as service:
        service.bind(path)
        service.listen()
        service.setblocking(False)
        house.serve(auth={"host": f"unix:{path}", "port": 0})
        client = house.client()
        client.send(b"a1 LOGIN u p\r\n")
        auth = house.accept(service)
        assert auth.expect(b"\r\n\r\n").startswith(b"GET /auth HTTP/1.0\r\nHost: localhost\r\n")
        auth.send(house.ok())
        house.mail_login()
        client.expect(b"a1 OK logged in\r\n")


def test_clients_on_a_unix_socket(house: House, tmp_path: os.PathLike[str]) -> None:
    path = f"{tmp_path}/imap"
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen()
    listen = Listen(address=f"unix:{path}")
    auth_port = house.auth.getsockname()[1]
    snapshot = Snapshot(servers=(block("u", listen, auth_port=auth_port, protocol="smtp"),))
    house.engine.apply(snapshot, {listen.key: sock})
    far = socket.socket(socket.AF_UNIX)
    far.connect(path)
    client = house.peer(far)
    client.expect(b"ESMTP ready\r\n")
    client.send(b"AUTH PLAIN AHUAcA==\r\n")
    request = house.asked()[1]
    assert b"Client-IP: unix:\r\nClient-Host: [TEMPUNAVAIL]\r\n" in request


# --- accepting ---


def test_beyond_worker_connections_clients_wait_in_the_queue(house: House) -> None:
    house.serve(connections=2)
    first, _second = house.client(), house.client()
    third = house.client(b"")
    house.idle()
    assert not third.read()
    assert house.engine.open_count == 2
    assert house.reactor._epoll.poll(0) == []
    first.close()
    third.expect(b"ready\r\n")
    assert "2 worker_connections are in use" in house.log.text()


@pytest.fixture
def scarce() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def use_up_descriptors() -> list[int]:
    spare: list[int] = []
    with suppress(OSError):
        while True:
            spare.append(os.dup(0))
    return spare


def test_when_descriptors_run_out_the_loop_rests_and_goes_on_when_there_are_some(
    house: House, scarce: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_module, "_PAUSE_S", 0.05)
    house.serve()
    waiting = house.client(b"")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(open_fds()) + 1, hard))
    spare = use_up_descriptors()
    house.pump(lambda: "accept() failed (24: Too many open files)" in house.log.text(), "the log")
    assert house.reactor._epoll.poll(0) == []
    for fd in spare:
        os.close(fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    waiting.expect(b"ready\r\n")


def test_a_session_that_cannot_begin_does_not_end_the_listening(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.serve()
    with monkeypatch.context() as patch:
        patch.setattr(driver_module, "Session", lambda _profile, _facts: 1 / 0)
        house.client(b"").expect_end()
    assert "internal error: ZeroDivisionError" in house.log.text()
    assert house.engine.open_count == 0
    house.client()


# --- orders ---


def test_the_end_closes_sessions_in_every_phase_and_tells_those_before_login(house: House) -> None:
    house.serve()
    proxied, mail = house.login()
    early = house.client()
    thinking = house.client()
    thinking.send(b"a1 LOGIN u p\r\n")
    auth, _ = house.asked()
    assert house.engine.close_sessions(CloseReason.SHUTDOWN) == 3
    early.expect_end()
    thinking.expect_end()
    auth.expect_end()
    proxied.expect_end()
    mail.expect_end()
    assert house.engine.open_count == 0
    assert "shutting down while proxying" in house.log.text()
    assert "shutdown timeout" not in house.log.text()
    name = series(SESSIONS_CLOSED, "main", "shutdown")
    assert house.engine.ledger.counts[name] == 3


def test_a_session_before_login_can_be_disconnected(house: House) -> None:
    house.serve()
    client = house.client()
    assert house.engine.kick(["boot.1"]) == 1
    client.expect_end()
    assert house.engine.ledger.counts[series(SESSIONS_CLOSED, "main", "kicked")] == 1


def test_a_session_is_described_for_people(house: House) -> None:
    house.serve()
    client, _ = house.login(b"j\xc3\xb6e")
    (record,) = house.engine.ledger.records()
    host, port = client.sock.getsockname()
    assert (record.session, record.user, record.client, record.client_port, record.listen) == (
        "boot.1",
        "jöe",
        host,
        port,
        house.key,
    )
    assert record.backend == f"127.0.0.1:{house.mail.getsockname()[1]}"
    gauges = house.engine.ledger.gauges()
    assert (gauges["sessions_open"], gauges["sessions_relaying"]) == (1, 1)


def test_a_session_nobody_was_told_of_is_not_reported_as_closed(house: House) -> None:
    house.serve()
    _, mail = house.login()
    mail.close()
    house.pump(lambda: house.engine.open_count == 0, "the session's end")
    assert house.engine.ledger.take_changes() == ([], [], [])


# --- nothing is left ---


def test_a_thousand_clients_that_come_and_go_leave_nothing(house: House) -> None:
    house.serve(auth={"keepalive": 4})
    house.engine.settle_memory()
    chance = random.Random(11)
    house.idle()
    before = open_fds()
    for _ in range(100):
        clients = [socket.create_connection(house.address) for _ in range(10)]
        for client in clients:
            if chance.random() < 0.8:
                client.send(b"a1 LOGIN u p\r\n"[: chance.randint(1, 14)])
        house.idle(chance.randint(0, 6))
        for listener in (house.auth, house.mail):
            answer_some(house, listener, chance)
        for client in clients:
            if chance.random() < 0.2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
        house.idle(chance.randint(0, 6))
    house.pump(lambda: not settle(house), "all sessions gone")
    counts = house.engine.ledger.counts
    ends = sum(count for name, count in counts.items() if name.startswith("sessions_closed"))
    assert ends == counts[series(SESSIONS_ACCEPTED, "main")] == 1000
    assert house.engine.ledger.live == {}
    assert house.engine._context.drivers == {}
    assert house.engine._context.pipes.lent == 0
    assert "internal error" not in house.log.text()
    # the sweep's
    assert house.reactor.timer_count == 1
    for client in house.engine._clients.values():
        client.retire()
    house.idle()
    assert open_fds() == before


def settle(house: House) -> int:
    answer_some(house, house.auth, random.Random(1))
    answer_some(house, house.mail, random.Random(1))
    return house.engine.open_count


def answer_some(house: House, listener: socket.socket, chance: random.Random) -> None:
    """Play auth service or mail server: answer or close, and leave."""
    reply = house.ok() if listener is house.auth else b"* OK\r\na1 OK\r\n* x\r\n"
    while True:
        try:
            sock, _ = listener.accept()
        except BlockingIOError:
            return
        with sock:
            if chance.random() < 0.7:
                sock.send(reply)
            house.idle(2)
