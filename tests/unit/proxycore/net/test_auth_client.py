"""The auth_http client on real sockets, with the auth service played by the test."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from proxycore.contract.authhttp import (
    AuthFailed,
    AuthFault,
    AuthOk,
    AuthRequest,
    AuthWait,
    Verdict,
)
from proxycore.contract.protocol import Protocol
from proxycore.contract.reasons import CloseReason
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthHttp, AuthHttpHeader
from proxycore.net import auth_client as auth_client_module
from proxycore.net.auth_client import AuthClient
from proxycore.net.auth_exchange import Exchange
from proxycore.net.sockets import address_of
from tests.unit.proxycore.net.house import House, Peer

REQUEST = AuthRequest(
    protocol=Protocol.POP3,
    method="plain",
    login=b"us er",
    password=b"p%",
    attempt=1,
    client_ip="192.0.2.7",
)
GOOD = b"Auth-Status: OK\r\nAuth-Server: 192.0.2.10\r\nAuth-Port: 110\r\n"
OK = AuthOk(server="192.0.2.10", port=110)


class Desk:
    """Asks, and remembers what it was told."""

    def __init__(self, house: House, **settings: Any) -> None:
        self.house = house
        port = house.auth.getsockname()[1]
        settings = {"host": "127.0.0.1", "port": port, "uri": "/auth", **settings}
        auth_http = AuthHttp(**settings)
        self.client = AuthClient(house.engine._context, auth_http, Secret("node-token"))
        for i, place in enumerate(self.client.places):
            self.client.settle(i, [address_of(place.host, place.port)])
        self.verdicts: list[Verdict] = []

    def ask(self) -> Exchange:
        begun = self.client.ask(REQUEST, self.verdicts.append)
        assert isinstance(begun, Exchange)
        return begun

    def verdict(self) -> Verdict:
        self.house.pump(lambda: self.verdicts, "a verdict")
        return self.verdicts.pop(0)

    def answered(self, reply: bytes) -> Verdict:
        """Ask, and have the service answer on a new connection and close it."""
        self.ask()
        auth, _ = self.house.asked()
        auth.send(reply)
        auth.close()
        return self.verdict()


@pytest.fixture
def desk(house: House) -> Iterator[Desk]:
    it = Desk(house)
    yield it
    it.client.retire()


def pooled(house: House, **settings: Any) -> Desk:
    return Desk(house, keepalive=2, **settings)


def with_length(body: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (GOOD, len(body), body)


def fault(verdict: Verdict) -> tuple[CloseReason, str]:
    assert isinstance(verdict, AuthFault)
    return verdict.reason, verdict.detail


# --- as nginx asks ---


def test_the_request_is_nginx_octets(house: House, desk: Desk) -> None:
    desk.ask()
    auth, request = house.asked()
    assert request == (
        b"GET /auth HTTP/1.0\r\n"
        b"Host: 127.0.0.1\r\n"
        b"Auth-Method: plain\r\n"
        b"Auth-User: us%20er\r\n"
        b"Auth-Pass: p%25\r\n"
        b"Auth-Protocol: pop3\r\n"
        b"Auth-Login-Attempt: 1\r\n"
        b"Client-IP: 192.0.2.7\r\n"
        b"\r\n"
    )
    auth.send(b"\r\n")


def test_configured_headers_and_the_node_token_come_last(house: House) -> None:
    headers = (
        AuthHttpHeader(name="X-Key", value=Secret("s e")),
        AuthHttpHeader(name="X-B", value=Secret("b")),
    )
    desk = Desk(house, headers=headers, send_node_token=True)
    exchange = desk.ask()
    _, request = house.asked()
    assert request.endswith(
        b"Client-IP: 192.0.2.7\r\nX-Key: s e\r\nX-B: b\r\nX-Postroad-Node-Token: node-token\r\n\r\n"
    )
    assert "node-token" not in repr(exchange)
    exchange.cancel()


SERVER = b"Auth-Server: 192.0.2.10\r\nAuth-Port: 110\r\n"
STATUS = b"HTTP/1.0 200 OK\r\n"


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (STATUS + GOOD + b"\r\n", OK),
        (STATUS + SERVER + b"\r\n", OK),
        (GOOD + b"\r\n", OK),
        (b"HTTP/1.0 500 Oops\r\n" + GOOD + b"\r\n", OK),
        ((STATUS + GOOD + b"\r\n").replace(b"\r\n", b"\n"), OK),
        (
            STATUS + b"auth-status: OK\r\nAUTH-SERVER:192.0.2.10\r\nauth-port:   110   \r\n\r\n",
            OK,
        ),
        (STATUS + b"Auth-Status: ok\r\n" + SERVER + b"\r\n", AuthFailed(text=b"ok")),
        (
            STATUS + b"Auth-Status: No\r\nAuth-Status: OK\r\n" + SERVER + b"\r\n",
            AuthFailed(text=b"No"),
        ),
        (
            STATUS + b"Auth-Status:   Invalid   login   \r\n\r\n",
            AuthFailed(text=b"Invalid   login"),
        ),
        (STATUS + b"Auth-Status:\tOK\r\n\r\n", AuthFailed(text=b"\tOK")),
        (STATUS + b"Auth-Status: no\r\nAuth-Wait: soon\r\n\r\n", AuthFailed(text=b"no")),
        (STATUS + b"foo\r\n" + GOOD + b"\r\n", OK),
        (STATUS + GOOD + b"\r\n" + b"x" * 5000, OK),
        (STATUS + GOOD + b"Auth-Wait: 5\r\n\r\n", OK),
        (STATUS + b"Auth-Status: WAIT\r\nAuth-Wait: 1\r\n\r\n", AuthWait(wait_s=1)),
        (
            STATUS + GOOD + b"Auth-User: new user\r\nAuth-Pass: new%20pass\r\n\r\n",
            AuthOk(server="192.0.2.10", port=110, login=b"new user", password=b"new%20pass"),
        ),
        (
            STATUS + GOOD + b"Auth-User:\r\nAuth-Pass:\r\n\r\n",
            AuthOk(server="192.0.2.10", port=110, login=b"", password=b""),
        ),
    ],
)
def test_what_is_a_verdict(desk: Desk, reply: bytes, verdict: Verdict) -> None:
    assert desk.answered(reply) == verdict


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        (STATUS + b"Auth-Status: OK\r\nAuth-Server: 192.0.2.10\r\n\r\n", "did not send server"),
        (STATUS + b"Auth-Status: OK\r\nAuth-Port: 110\r\n\r\n", "did not send server or port"),
        (STATUS + b"Auth-Server: 192.0.2.10\r\nAuth-Port: 0\r\n\r\n", "invalid server port"),
        (STATUS + b"Auth-Server: 192.0.2.10\r\nAuth-Port: 11x\r\n\r\n", "invalid server port"),
        (STATUS + b"Auth-Server: 192.0.2.10\r\nAuth-Port: 65536\r\n\r\n", "invalid server port"),
        (STATUS + b"Auth-Server: 256.1.1.1\r\nAuth-Port: 110\r\n\r\n", "invalid server address"),
        (STATUS + b"Auth_Status: OK\r\n" + SERVER + b"\r\n", "sent invalid header in response"),
        (STATUS + GOOD + b" folded\r\n\r\n", "sent invalid header in response"),
        (STATUS + b"foo : x\r\n" + GOOD + b"\r\n", "sent invalid header in response"),
        (b"HTTP/1.0 200\rOK\r\n" + GOOD + b"\r\n", "sent invalid response"),
        (STATUS + b"A: " + b"x" * 20_000 + b"\r\n\r\n", "sent too long response header"),
        (STATUS + GOOD, "closed the connection within its response"),
        (b"HTTP/1.1 404 Not Found\r\nServer: x\r\n\r\n", "did not send server or port (HTTP 404)"),
    ],
)
def test_what_is_none(desk: Desk, reply: bytes, detail: str) -> None:
    reason, words = fault(desk.answered(reply))
    assert reason is CloseReason.AUTH_INVALID
    assert detail in words


@pytest.mark.parametrize(
    "reply", [b"", b"HTTP/1.1 503 Unavailable\r\nContent-Type: text/html\r\n\r\n<html>"]
)
def test_no_answer_and_an_error_page_mean_that_the_service_is_away(
    desk: Desk, reply: bytes
) -> None:
    reason, _ = fault(desk.answered(reply))
    assert reason is CloseReason.AUTH_UNAVAILABLE


def test_a_node_the_appliance_does_not_know_is_told_so(house: House) -> None:
    reply = b"HTTP/1.1 403 Forbidden\r\n" + GOOD + b"Content-Length: 0\r\n\r\n"
    reason, detail = fault(Desk(house, send_node_token=True).answered(reply))
    assert reason is CloseReason.AUTH_INVALID
    assert "does not accept this node's token (HTTP 403)" in detail
    # nobody else's status is looked at
    assert Desk(house).answered(reply) == OK


def test_segmentation_does_not_matter(house: House, desk: Desk) -> None:
    chance, reply = random.Random(7), STATUS + GOOD + b"\r\n"
    for _ in range(10):
        desk.ask()
        auth, _request = house.asked()
        rest = reply
        while rest:
            cut = chance.randint(1, len(rest))
            auth.send(rest[:cut])
            house.idle(3)
            assert bool(desk.verdicts) is (cut == len(rest))
            rest = rest[cut:]
        assert desk.verdict() == OK
        auth.close()


def test_each_question_has_its_own_connection_that_is_closed_at_the_blank_line(
    house: House, desk: Desk
) -> None:
    for _ in range(2):
        desk.ask()
        auth, _ = house.asked()
        auth.send(with_length(b"body").replace(b"body", b""))
        assert desk.verdict() == OK
        auth.expect_end()
        auth.close()
    assert desk.client.idle_count == 0


def test_nobody_listening_is_a_fault_and_no_delay(house: House) -> None:
    port = house.auth.getsockname()[1]
    house.auth.close()
    desk = Desk.__new__(Desk)
    desk.house, desk.verdicts = house, []
    auth_http = AuthHttp(host="127.0.0.1", port=port)
    desk.client = AuthClient(house.engine._context, auth_http, None)
    desk.client.settle(0, [address_of("127.0.0.1", port)])
    begun = desk.client.ask(REQUEST, desk.verdicts.append)
    verdict = begun if isinstance(begun, AuthFault) else desk.verdict()
    assert fault(verdict) == (
        CloseReason.AUTH_UNAVAILABLE,
        "could not be reached (111: Connection refused)",
    )


def test_a_name_that_could_not_be_resolved_is_a_fault(house: House) -> None:
    client = AuthClient(house.engine._context, AuthHttp(host="auth.invalid"), None)
    verdict = client.ask(REQUEST, lambda _: None)
    assert isinstance(verdict, AuthFault)
    assert fault(verdict) == (CloseReason.AUTH_UNAVAILABLE, "could not be resolved")


@pytest.mark.parametrize("partial", [b"", STATUS + b"Auth-Status: OK\r\n"])
def test_one_deadline_covers_everything(house: House, partial: bytes) -> None:
    desk = Desk(house, timeout_ms=100)
    desk.ask()
    auth, _ = house.asked()
    auth.send(partial)
    assert fault(desk.verdict()) == (
        CloseReason.AUTH_TIMEOUT,
        "timed out (110: Connection timed out)",
    )
    auth.expect_end()
    assert house.reactor.timer_count == 1


def test_every_question_has_a_deadline_of_its_own(house: House) -> None:
    desk = Desk(house, timeout_ms=300)
    desk.ask()
    begun = house.reactor.now
    house.pump(lambda: house.reactor.now > begun + 0.2, "a while")
    desk.ask()
    second = house.reactor.now
    house.pump(lambda: len(desk.verdicts) == 2, "both deadlines")
    assert house.reactor.now >= second + 0.3
    assert house.reactor.timer_count == 1


def test_a_cancelled_question_leaves_nothing(house: House, desk: Desk) -> None:
    exchange = desk.ask()
    auth, _ = house.asked()
    exchange.cancel()
    house.idle()
    auth.expect_end()
    assert desk.verdicts == []
    assert house.reactor.timer_count == 1


def test_a_reply_is_remembered_as_such_only_when_it_is_nobodys_own(house: House) -> None:
    desk = Desk(house)
    own = STATUS + GOOD + b"Auth-Pass: secret\r\n\r\n"
    renamed = STATUS + GOOD + b"Auth-User: joe\r\n\r\n"
    refused = STATUS + b"Auth-Status: no\r\n\r\n"
    for reply in (own, renamed, refused):
        desk.answered(reply)
    assert desk.client._endpoints[0].known == {}
    for mail_server in range(200):
        reply = STATUS + b"Auth-Server: 192.0.2.%d\r\nAuth-Port: 25\r\n\r\n" % mail_server
        for _ in range(2):
            assert desk.answered(reply) == AuthOk(server=f"192.0.2.{mail_server}", port=25)
    assert 0 < len(desk.client._endpoints[0].known) <= 64


# --- kept connections ---


def begin(desk: Desk) -> tuple[Peer, bytes]:
    desk.ask()
    return desk.house.asked()


def test_a_kept_connection_speaks_http_1_1_and_is_used_again(house: House) -> None:
    desk = pooled(house)
    port = house.auth.getsockname()[1]
    auth, request = begin(desk)
    assert request.startswith(b"GET /auth HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuth-Met" % port)
    for _ in range(3):
        auth.send(with_length(b"body"))
        assert desk.verdict() == OK
        assert desk.client.idle_count == 1
        desk.ask()
        assert desk.client.idle_count == 0
        assert auth.expect(b"\r\n\r\n") == request
    desk.client.retire()


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\n" + GOOD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n" + GOOD + b"\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n" + GOOD + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + with_length(b"xyz"),
    ],
)
def test_framings_that_keep_a_connection_however_they_are_cut(house: House, reply: bytes) -> None:
    desk = pooled(house)
    auth, _ = begin(desk)
    for octet in reply:
        auth.send(bytes((octet,)))
        house.idle(2)
    assert desk.verdict() == OK
    assert desk.client.idle_count == 1
    desk.client.retire()


@pytest.mark.parametrize(
    "reply",
    [
        with_length().replace(b"Content-Length", b"Connection: close\r\nContent-Length"),
        with_length().replace(b"HTTP/1.1", b"HTTP/1.0"),
        b"HTTP/1.1 200 OK\r\n" + GOOD + b"\r\n",
        GOOD + b"\r\n",
        with_length() + b"HTTP/1.1 200 OK\r\n",
        with_length(b"x" * 100_000),
    ],
)
def test_framings_that_do_not_keep_it(house: House, reply: bytes) -> None:
    desk = pooled(house)
    auth, _ = begin(desk)
    auth.send(reply[:60_000])
    assert desk.verdict() == OK
    auth.expect_end()
    assert desk.client.idle_count == 0


def test_a_kept_connection_that_died_idle_is_replaced_unseen(house: House) -> None:
    desk = pooled(house)
    auth, request = begin(desk)
    auth.send(with_length())
    assert desk.verdict() == OK
    # closed and asked again before the reactor could notice
    auth.close()
    desk.ask()
    second, again = house.asked()
    assert again == request
    second.send(with_length())
    assert desk.verdict() == OK
    desk.client.retire()


def test_it_is_asked_again_only_once(house: House) -> None:
    desk = pooled(house)
    auth, _ = begin(desk)
    auth.send(with_length())
    desk.verdict()
    auth.close()
    desk.ask()
    second, _ = house.asked()
    second.close()
    reason, detail = fault(desk.verdict())
    assert reason is CloseReason.AUTH_UNAVAILABLE
    assert detail == "closed the connection without a response"


def test_a_fresh_connection_that_dies_is_not_asked_again(house: House) -> None:
    desk = pooled(house)
    auth, _ = begin(desk)
    auth.close()
    assert fault(desk.verdict())[0] is CloseReason.AUTH_UNAVAILABLE


def test_a_reply_that_broke_off_is_not_asked_again(house: House) -> None:
    desk = pooled(house)
    auth, _ = begin(desk)
    auth.send(with_length())
    desk.verdict()
    desk.ask()
    auth.expect(b"\r\n\r\n")
    auth.send(b"HTTP/1.1 2")
    auth.close()
    assert fault(desk.verdict())[0] is CloseReason.AUTH_INVALID


def test_an_idle_connection_that_is_closed_or_speaks_leaves_the_pool(house: House) -> None:
    desk = pooled(house)
    for end in ("close", "speak"):
        auth, _ = begin(desk)
        auth.send(with_length())
        desk.verdict()
        assert desk.client.idle_count == 1
        if end == "close":
            auth.close()
        else:
            auth.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        house.pump(lambda: desk.client.idle_count == 0, "an empty pool")


def test_what_a_burst_leaves_above_keepalive_is_used_again_and_then_closed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth_client_module, "SURPLUS_S", 0.1)
    desk = pooled(house)
    asked = [begin(desk)[0] for _ in range(4)]
    for auth in asked:
        auth.send(with_length())
    house.pump(lambda: len(desk.verdicts) == 4, "four verdicts")
    assert desk.client.idle_count == 4
    house.pump(lambda: desk.client.idle_count == 2, "a pool of two")
    desk.client.retire()
    house.idle()
    for auth in asked:
        auth.expect_end()
