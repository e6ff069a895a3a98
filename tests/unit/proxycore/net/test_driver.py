"""A session before login, on real sockets: what the driver adds to the machine."""

import socket
from contextlib import suppress

import pytest

from proxycore.contract.reasons import CloseReason
from proxycore.contract.stats import LOGIN_FAILURES, LOGINS, SESSIONS_CLOSED, series
from proxycore.net import driver as driver_module
from tests.unit.proxycore.net.house import House, Peer, listening

REFUSAL = b"HTTP/1.0 200 OK\r\nAuth-Status: Invalid login\r\n\r\n"


def closed(house: House, reason: CloseReason) -> int:
    return house.engine.ledger.counts.get(series(SESSIONS_CLOSED, "main", reason.value), 0)


def ended(house: House, reason: CloseReason) -> None:
    house.pump(lambda: house.engine.open_count == 0, "the session's end")
    assert closed(house, reason) == 1


def log_in(house: House, client: Peer) -> Peer:
    """Submit credentials, and give the auth service's end."""
    client.send(b"a1 LOGIN alice secret\r\n")
    return house.asked()[0]


def test_the_greeting_comes_at_once_and_every_line_says_whom_it_is_about(house: House) -> None:
    house.serve()
    client, _ = house.login()
    host, port = client.sock.getsockname()
    where = f"client: {host}, server: {house.key}"
    text = house.log.text()
    assert f"[info] *1 client {host}:{port} connected to {house.key}\n" in text
    assert f'[info] *1 client logged in, {where}, login: "alice", upstream: 127.0.0.1:' in text
    assert "secret" not in text
    assert house.engine.ledger.counts[series(LOGINS, "main")] == 1


def test_a_refused_login_is_told_counted_and_closed(house: House) -> None:
    house.serve()
    client = house.client()
    log_in(house, client).send(REFUSAL)
    assert client.expect_end() == b"a1 NO Invalid login\r\n"
    ended(house, CloseReason.LOGIN_FAILED)
    assert house.engine.ledger.counts[series(LOGIN_FAILURES, "main")] == 1
    assert "while in http auth state, client: 127.0.0.1" in house.log.text()


def test_lines_from_the_verdict_on_end_with_the_auth_services_name_of_the_session(
    house: House,
) -> None:
    house.serve()
    client = house.client()
    log_in(house, client).send(REFUSAL.replace(b"\r\n\r\n", b"\r\nAuth-Session: n-1\r\n\r\n"))
    client.expect_end()
    client = house.client()
    named = house.ok().replace(b"\r\n\r\n", b"\r\nAuth-Session: s-2\r\n\r\n")
    log_in(house, client).send(named)
    back = house.mail_login()
    client.expect(b"a1 OK logged in\r\n")
    client.close()
    back.expect_end()
    back.close()
    house.pump(lambda: house.engine.open_count == 0, "the session's end")
    lines = [line for line in house.log.text().splitlines() if ", session: " in line]
    assert [line.partition("] *")[2].partition(",")[0] for line in lines] == [
        '1 client login failed: "Invalid login" while in http auth state',
        "2 client logged in",
        "2 proxied session done",
    ]
    assert [line.rpartition(", ")[2] for line in lines] == [
        'session: "n-1"',
        *['session: "s-2"'] * 2,
    ]


def test_a_client_that_goes_away_while_the_auth_service_thinks_cancels_the_question(
    house: House,
) -> None:
    house.serve()
    client = house.client()
    auth = log_in(house, client)
    client.close()
    auth.expect_end()
    ended(house, CloseReason.CLIENT_CLOSED)


def test_a_mail_server_that_is_not_there_is_logged_as_nginx_does(house: House) -> None:
    house.serve()
    nobody = listening()
    port = nobody.getsockname()[1]
    nobody.close()
    client = house.client()
    reply = b"Auth-Status: OK\r\nAuth-Server: 127.0.0.1\r\nAuth-Port: %d\r\n\r\n" % port
    log_in(house, client).send(reply)
    assert client.expect_end() == b"* BAD internal server error\r\n"
    ended(house, CloseReason.BACKEND_REFUSED)
    words = "[error] *1 connect() failed (111: Connection refused) while connecting to upstream"
    assert words in house.log.text()
    assert f"upstream: 127.0.0.1:{port}" in house.log.text()


def test_an_address_that_cannot_be_reached_is_no_bug(house: House) -> None:
    house.serve()
    client = house.client()
    reply = b"Auth-Status: OK\r\nAuth-Server: 255.255.255.255\r\nAuth-Port: 143\r\n\r\n"
    log_in(house, client).send(reply)
    assert client.expect_end() == b"* BAD internal server error\r\n"
    ended(house, CloseReason.BACKEND_REFUSED)


def test_a_mail_server_that_closes_during_login(house: House) -> None:
    house.serve()
    client = house.client()
    log_in(house, client).send(house.ok())
    house.accept(house.mail).close()
    assert client.expect_end() == b"* BAD internal server error\r\n"
    ended(house, CloseReason.BACKEND_CLOSED)


def test_a_mail_server_that_says_nothing_is_given_up(house: House) -> None:
    house.serve(timeout_ms=200)
    client = house.client()
    log_in(house, client).send(house.ok())
    mail = house.accept(house.mail)
    assert client.expect_end() == b"* BAD internal server error\r\n"
    mail.expect_end()
    ended(house, CloseReason.BACKEND_TIMEOUT)


def test_a_client_that_says_nothing_is_given_up(house: House) -> None:
    house.serve(timeout_ms=100)
    client = house.client()
    assert client.expect_end() == b""
    ended(house, CloseReason.CLIENT_TIMEOUT)
    assert "client timed out (110: Connection timed out) while in auth state" in house.log.text()


def test_the_time_to_log_in_is_a_total_that_talking_does_not_extend(house: House) -> None:
    house.serve(timeout_ms=300, max_commands=100_000_000)
    client = house.client()

    def talk() -> bool:
        with suppress(BrokenPipeError, ConnectionResetError):
            client.sock.send(b"a NOOP\r\n")
        client.read()
        return client.ended

    house.pump(talk, "the end", within_s=5)
    ended(house, CloseReason.CLIENT_TIMEOUT)


def test_octets_behind_the_login_command_reach_the_mail_server(house: House) -> None:
    house.serve()
    client = house.client()
    client.send(b"a1 LOGIN alice secret\r\na2 SELECT INBOX\r\n")
    auth, _ = house.asked()
    client.send(b"a3 NOOP\r\n")
    auth.send(house.ok())
    mail = house.mail_login()
    assert mail.expect(b"a3 NOOP\r\n") == b"a2 SELECT INBOX\r\na3 NOOP\r\n"


def test_a_client_that_does_not_take_its_replies_is_not_read(house: House) -> None:
    house.serve(max_errors=1_000_000, max_commands=100_000_000)
    client = house.client()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    commands, sent, stuck = b"a CAPABILITY\r\n" * 10_000, 0, 0
    while stuck < 50 and sent < 200 << 20:
        try:
            sent += client.sock.send(commands)
            stuck = 0
        except BlockingIOError:
            stuck += 1
        house.reactor.step(0)
    assert sent < 100 << 20
    assert house.reactor._epoll.poll(0) == []
    (driver,) = house.engine._context.drivers.values()
    assert len(driver._front_out) < 4 << 20
    client.close()
    house.pump(lambda: house.engine.open_count == 0, "the session's end")


def test_the_last_reply_survives_octets_that_were_not_read(house: House) -> None:
    house.serve(imap_client_buffer_bytes=128)
    client = house.client()
    client.send(b"a" * 100_000)
    assert b"BAD" in client.expect_end()
    ended(house, CloseReason.LINE_TOO_LONG)


def test_a_last_reply_nobody_takes_is_waited_for_only_so_long(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_module, "FLUSH_S", 0.1)
    house.serve()
    client = house.client()
    (driver,) = house.engine._context.drivers.values()
    driver._front_out = b"x" * (32 << 20)
    driver.stop(CloseReason.SHUTDOWN)
    assert house.engine.open_count == 1
    house.pump(lambda: house.engine.open_count == 0, "the session's end")
    assert closed(house, CloseReason.SHUTDOWN) == 1
    client.close()


def test_our_bug_ends_that_session_only_and_is_logged_once_with_its_place(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.serve()
    other, other_mail = house.login()
    for _ in range(2):
        client = house.client()
        driver = list(house.engine._context.drivers.values())[-1]
        monkeypatch.setattr(
            driver._machine.__class__, "handle", lambda _self, _event: [object()], raising=True
        )
        client.send(b"a1 NOOP\r\n")
        assert client.expect_end() == b""
        monkeypatch.undo()
    other.send(b"a2 NOOP\r\n")
    assert other_mail.expect(b"a2 NOOP\r\n")
    assert closed(house, CloseReason.INTERNAL) == 2
    bugs = [line for level, line in house.log.lines if level == "crit"]
    assert len(bugs) == 2
    assert "traceback: deliver" in bugs[0]
    assert "traceback" not in bugs[1]


def test_what_a_client_sent_is_not_quoted_in_the_traceback_of_our_bug(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.serve()
    client = house.client()
    (driver,) = house.engine._context.drivers.values()
    monkeypatch.setattr(
        driver._machine.__class__, "handle", lambda _self, event: {}[event.data], raising=True
    )
    client.send(b"a1 LOGIN alice canary-password\r\n")
    client.expect_end()
    assert "internal error: KeyError at" in house.log.text()
    assert "canary" not in house.log.text()


def test_a_bug_in_the_relay_ends_that_session_only(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.serve()
    client, _ = house.login()
    (live,) = house.engine.ledger.live.values()
    monkeypatch.setattr(type(live), "_carry", lambda _self, _flow: 1 / 0)
    client.send(b"x")
    assert client.expect_end() == b""
    ended(house, CloseReason.INTERNAL)


def test_pop3_and_smtp_log_in_too(house: House) -> None:
    house.serve("pop3")
    client = house.client(b"+OK POP3 ready\r\n")
    client.send(b"USER u\r\n").expect(b"+OK\r\n")
    client.send(b"PASS p\r\n")
    auth, request = house.asked()
    assert b"Auth-Protocol: pop3\r\n" in request
    auth.send(house.ok())
    mail = house.accept(house.mail)
    mail.send(b"+OK hi\r\n").expect(b"USER u\r\n")
    mail.send(b"+OK\r\n").expect(b"PASS p\r\n")
    mail.send(b"+OK 3 messages\r\n")
    assert client.expect(b"\r\n") == b"+OK 3 messages\r\n"
    house.serve("smtp")
    client = house.client(b"ESMTP ready\r\n")
    client.send(b"AUTH PLAIN AHUAcA==\r\n")
    auth, request = house.asked()
    assert b"Client-Host: [UNAVAILABLE]\r\n" in request
    auth.send(house.ok())
    mail = house.accept(house.mail)
    mail.send(b"220 hi\r\n").expect(b"EHLO mx.example.com\r\n")
    mail.send(b"250 mx\r\n")
    assert b"XCLIENT ADDR=127.0.0.1 LOGIN=u NAME=[UNAVAILABLE]" in mail.expect(b"\r\n")
