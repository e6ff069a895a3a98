"""Several auth services behind one name: who is asked, in which order, for how long; and HTTPS."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from proxycore.contract.authhttp import AuthFault, AuthOk, AuthRequest, Verdict
from proxycore.contract.protocol import Protocol
from proxycore.contract.reasons import CloseReason
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthBackup, AuthHttp, AuthHttpHeader
from proxycore.net import auth_client as auth_client_module
from proxycore.net import auth_exchange
from proxycore.net.auth_client import AuthClient
from proxycore.net.auth_exchange import Exchange
from proxycore.net.sockets import address_of
from proxycore.policy.breaker import OPENS_AFTER
from tests.support.pki import Authority, Pair
from tests.unit.proxycore.net.house import House, Peer, listening

OK_HEADERS = b"Auth-Status: OK\r\nAuth-Server: 192.0.2.10\r\nAuth-Port: 110\r\n"
REPLY = b"HTTP/1.1 200 OK\r\n" + OK_HEADERS + b"Content-Length: 0\r\n\r\n"
OK = AuthOk(server="192.0.2.10", port=110)
REQUEST = AuthRequest(
    protocol=Protocol.IMAP,
    method="plain",
    login=b"u",
    password=b"p",
    attempt=1,
    client_ip="192.0.2.7",
    client_port=5,
    server_port=143,
    server_ip="10.0.0.1",
    session="boot.7",
)


class Two:
    """A client of two services; ``verdicts`` is what it was told."""

    def __init__(self, house: House, **settings: object) -> None:
        self.house = house
        self.other = listening()
        ports = [sock.getsockname()[1] for sock in (house.auth, self.other)]
        backup = AuthBackup(host="127.0.0.1", port=ports[1], uri="/b")
        auth_http = AuthHttp(
            host="127.0.0.1",
            port=ports[0],
            uri="/a",
            backups=(backup,),
            **settings,  # type: ignore[arg-type]
        )
        self.client = AuthClient(house.engine._context, auth_http, None)
        for i, port in enumerate(ports):
            self.client.settle(i, [address_of("127.0.0.1", port)])
        self.verdicts: list[Verdict] = []

    def ask(self) -> "Exchange | AuthFault":
        return self.client.ask(REQUEST, self.verdicts.append)

    def verdict(self) -> Verdict:
        self.house.pump(lambda: self.verdicts, "a verdict")
        return self.verdicts.pop(0)

    def first(self) -> Peer:
        return self.house.accept(self.house.auth)

    def second(self) -> Peer:
        return self.house.accept(self.other)


@pytest.fixture
def two(house: House) -> Iterator[Two]:
    it = Two(house, keepalive=2)
    yield it
    it.client.retire()
    it.other.close()


def drop_idle(two: Two) -> None:
    for endpoint in two.client._endpoints:
        while endpoint.idle:
            endpoint.idle[-1].close()


def refuse(two: Two) -> None:
    """Have nobody listen at the first place."""
    gone = listening()
    port = gone.getsockname()[1]
    gone.close()
    two.client.settle(0, [address_of("127.0.0.1", port)])


def test_the_first_is_asked_and_the_backup_left_alone(two: Two) -> None:
    two.ask()
    first = two.first()
    for _ in range(2):
        assert first.expect(b"\r\n\r\n").startswith(b"GET /a HTTP/1.1\r\n")
        first.send(REPLY)
        assert two.verdict() == OK
        two.ask()
    with pytest.raises(BlockingIOError):
        two.other.accept()


def test_one_that_refuses_connections_has_the_next_asked(two: Two) -> None:
    refuse(two)
    two.ask()
    second = two.second()
    assert second.expect(b"\r\n\r\n").startswith(b"GET /b HTTP/1.1\r\n")
    second.send(REPLY)
    assert two.verdict() == OK


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"])
def test_one_that_hangs_up_or_is_ill_has_the_next_asked(two: Two, reply: bytes) -> None:
    two.ask()
    first = two.first()
    first.expect(b"\r\n\r\n")
    first.send(reply).close()
    two.second().send(REPLY)
    assert two.verdict() == OK


def test_a_refusal_and_nonsense_are_answers(two: Two) -> None:
    for reply in (b"Auth-Status: no\r\n\r\n", b"HTTP/1.1 404 Not Found\r\n\r\n"):
        two.ask()
        first = two.first()
        first.send(reply)
        verdict = two.verdict()
        assert not isinstance(verdict, AuthOk)
        first.close()
    with pytest.raises(BlockingIOError):
        two.other.accept()


def test_a_fault_is_logged_with_the_name_of_who_was_asked(house: House) -> None:
    with socket.socket() as deaf, listening() as other:
        deaf.bind(("127.0.0.1", 0))
        gone, asked = deaf.getsockname()[1], other.getsockname()[1]
        backups = (AuthBackup(host="127.0.0.1", port=asked), AuthBackup(host="::1", port=gone))
        house.serve(auth={"port": gone, "backups": backups})
        for answer, name in (
            (b"Auth-Status: OK\r\n\r\n", f"127.0.0.1:{asked} did not send server or port"),
            (b"", f"[::1]:{gone} could not be reached"),
        ):
            client = house.client()
            client.send(b"a LOGIN u p\r\n")
            peer = house.accept(other)
            peer.expect(b"\r\n\r\n")
            peer.send(answer).close()
            assert client.expect_end() == b"* BAD internal server error\r\n"
            assert f"[error] *{house.engine.newest} auth http server {name}" in house.log.text()


def test_one_that_is_silent_loses_its_turn(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth_exchange, "TRY_S", 0.1)
    two.ask()
    first = two.first()
    first.expect(b"\r\n\r\n")
    two.second().send(REPLY)
    assert two.verdict() == OK
    first.expect_end()


def test_the_deadline_covers_all_tries(house: House) -> None:
    two = Two(house, timeout_ms=200)
    two.ask()
    two.first().close()
    second = two.second()
    verdict = two.verdict()
    assert isinstance(verdict, AuthFault)
    assert verdict.reason is CloseReason.AUTH_TIMEOUT
    second.expect_end()
    two.other.close()


def test_a_service_that_keeps_failing_is_not_tried_first_any_more(two: Two) -> None:
    for _ in range(OPENS_AFTER):
        two.ask()
        two.first().close()
        two.second().send(REPLY)
        assert two.verdict() == OK
        drop_idle(two)
    two.ask()
    two.second().send(REPLY)
    assert two.verdict() == OK
    with pytest.raises(BlockingIOError):
        two.house.auth.accept()


def test_when_all_are_ill_somebody_is_asked_all_the_same(two: Two) -> None:
    for _ in range(OPENS_AFTER):
        two.ask()
        two.first().close()
        two.second().close()
        assert isinstance(two.verdict(), AuthFault)
    two.ask()
    two.first().send(REPLY)
    assert two.verdict() == OK


# --- the bound ---


def test_a_storm_waits_for_connections_and_gets_its_answers(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth_client_module, "MOST_CONNECTIONS", 2)
    two = Two(house)
    exchanges = [two.ask() for _ in range(5)]
    assert (two.client.open_count, two.client.waiting_count) == (2, 3)
    cancelled = exchanges[2]
    assert isinstance(cancelled, Exchange)
    cancelled.cancel()
    for _ in range(4):
        auth = two.first()
        auth.expect(b"\r\n\r\n")
        assert two.client.open_count <= 2
        auth.send(REPLY)
        assert two.verdict() == OK
    house.idle()
    assert (two.client.open_count, two.client.waiting_count) == (0, 0)
    two.other.close()


def test_who_waits_for_a_connection_waits_no_longer_than_the_deadline(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth_client_module, "MOST_CONNECTIONS", 1)
    two = Two(house, timeout_ms=100)
    two.ask()
    two.ask()
    for _ in range(2):
        verdict = two.verdict()
        assert isinstance(verdict, AuthFault)
        assert verdict.reason is CloseReason.AUTH_TIMEOUT
    two.other.close()


# --- a unix socket, variables ---


def test_a_unix_socket(house: House, tmp_path: Path) -> None:
    path = tmp_path / "auth"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    listener.setblocking(False)
    client = AuthClient(house.engine._context, AuthHttp(host=f"unix:{path}", port=0), None)
    client.settle(0, [address_of(f"unix:{path}", 0)])
    verdicts: list[Verdict] = []
    client.ask(REQUEST, verdicts.append)
    auth = house.accept(listener)
    assert auth.expect(b"\r\n\r\n").startswith(b"GET / HTTP/1.0\r\nHost: localhost\r\n")
    auth.send(REPLY)
    house.pump(lambda: verdicts == [OK], "a verdict")
    listener.close()


def test_variables_in_the_operators_headers(house: House) -> None:
    headers = tuple(
        AuthHttpHeader(name="X-Facts", value=Secret(value))
        for value in (
            "$remote_addr:$remote_port ${server_addr}:$server_port",
            "<$session> costs 5$ or $remote_address",
        )
    )
    two = Two(house, headers=headers)
    two.ask()
    request = two.first().expect(b"\r\n\r\n")
    assert b"X-Facts: 192.0.2.7:5 10.0.0.1:143\r\n" in request
    assert b"X-Facts: <boot.7> costs 5$ or $remote_address\r\n\r\n" in request
    two.other.close()


# --- HTTPS ---


@contextlib.contextmanager
def https(pair: Pair, tmp_path: Path, questions: int) -> Generator[int, None, None]:
    """Answer on one TLS connection, in a thread: its handshake blocks."""
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_text(pair.pem)
    key.write_text(pair.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def serve() -> None:
        with contextlib.suppress(OSError), listener.accept()[0] as plain:
            plain.settimeout(10)
            with context.wrap_socket(plain, server_side=True) as sock:
                for _ in range(questions):
                    asked = b""
                    while not asked.endswith(b"\r\n\r\n"):
                        asked += sock.recv(4096)
                    sock.sendall(REPLY)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join()
        listener.close()


def over_https(house: House, port: int, authority: Authority, host: str) -> AuthClient:
    auth_http = AuthHttp(
        host=host,
        port=port,
        ssl=True,
        keepalive=1,
        ssl_trusted_certificate="data:" + authority.pem,
    )
    client = AuthClient(house.engine._context, auth_http, None)
    client.settle(0, [address_of("127.0.0.1", port)])
    return client


def test_https_over_a_kept_connection(house: House, tmp_path: Path) -> None:
    authority = Authority()
    with https(authority.issue("auth.example"), tmp_path, 2) as port:
        client = over_https(house, port, authority, "auth.example")
        verdicts: list[Verdict] = []
        for count in (1, 2):
            client.ask(REQUEST, verdicts.append)
            house.pump(lambda count=count: len(verdicts) == count, "a verdict")  # type: ignore[misc]
            assert client.open_count == 1
        assert verdicts == [OK, OK]
        client.retire()


def test_https_tells_nothing_to_one_that_does_not_prove_its_name(
    house: House, tmp_path: Path
) -> None:
    authority = Authority()
    with https(authority.issue("other.example"), tmp_path, 1) as port:
        client = over_https(house, port, authority, "auth.example")
        verdicts: list[Verdict] = []
        client.ask(REQUEST, verdicts.append)
        house.pump(lambda: verdicts, "a verdict")
    (verdict,) = verdicts
    assert isinstance(verdict, AuthFault)
    assert verdict.reason is CloseReason.AUTH_UNAVAILABLE
    assert 'TLS failed: the certificate is not for "auth.example"' in verdict.detail
