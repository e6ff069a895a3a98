"""Clients that speak TLS, from the first octet or after STARTTLS, up to the relay."""

import socket
import ssl
import struct

import pytest

from proxycore.contract.reasons import CloseReason
from proxycore.contract.stats import SESSIONS_CLOSED, series
from proxycore.net.tls.relay import TlsRelay
from tests.unit.proxycore.net.house import House
from tests.unit.proxycore.net.tls.client import Client
from tests.unit.proxycore.net.tls.house import TlsPeer, apply, block, client_of, serve

STARTTLS = {
    "imap": (b"1 STARTTLS\r\n", b"1 OK completed\r\n"),
    "pop3": (b"STLS\r\n", b"+OK\r\n"),
    "smtp": (b"STARTTLS\r\n", b"220 2.0.0 Start TLS\r\n"),
}
GREETING = {
    "imap": b"* OK IMAP4 ready\r\n",
    "pop3": b"+OK POP3 ready\r\n",
    "smtp": b"220 mx.example.com ESMTP ready\r\n",
}
HELLO = {
    "imap": (b"2 CAPABILITY\r\n", b"2 OK completed\r\n"),
    "pop3": (b"CAPA\r\n", b".\r\n"),
    "smtp": (b"EHLO client.example.com\r\n", b"250 AUTH PLAIN LOGIN\r\n"),
}
PROTOCOLS = list(STARTTLS)


def closed(house: House, reason: CloseReason, block: str = "main") -> int:
    return house.engine.ledger.counts.get(series(SESSIONS_CLOSED, block, reason.value), 0)


def expect_closed(house: House, reason: CloseReason) -> None:
    house.pump(lambda: closed(house, reason) == 1, f"closed by {reason}")
    assert house.engine.open_count == 0


def started(house: House, protocol: str) -> TlsPeer:
    """Give a client that was told to begin TLS."""
    serve(house, protocol, starttls="on")
    client = client_of(house)
    client.expect(GREETING[protocol])
    command, answer = STARTTLS[protocol]
    client.send(command)
    assert client.expect(answer) == answer
    return client


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_dialogue_inside_implicit_tls(house: House, protocol: str) -> None:
    serve(house, protocol, implicit=True)
    client = client_of(house).shake()
    assert client.expect(GREETING[protocol]) == GREETING[protocol]
    command, answer = HELLO[protocol]
    client.send(command)
    assert b"STARTTLS" not in client.expect(answer)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_dialogue_goes_on_inside_tls_after_starttls(house: House, protocol: str) -> None:
    client = started(house, protocol).shake()
    command, answer = HELLO[protocol]
    client.send(command)
    heard = client.expect(answer)
    assert b"STLS" not in heard
    assert b"STARTTLS" not in heard
    assert GREETING[protocol] not in heard


def login(house: House, client: TlsPeer, command: bytes = b"a1 LOGIN alice secret\r\n") -> bytes:
    """Log in up to the relay; give the question the auth service was asked."""
    client.send(command)
    auth, question = house.asked()
    auth.send(house.ok())
    auth.expect_end()
    auth.close()
    return question


@pytest.mark.parametrize("implicit", [True, False])
def test_a_session_is_relayed_sealed_on_the_one_leg_and_plain_on_the_other(
    house: House, implicit: bool
) -> None:
    if implicit:
        serve(house, implicit=True)
        client = client_of(house).shake()
        client.expect(GREETING["imap"])
    else:
        client = started(house, "imap").shake()
    question = login(house, client)
    assert b"\r\nAuth-SSL: on\r\nAuth-SSL-Protocol: TLSv1.3\r\nAuth-SSL-Cipher: TLS_" in question
    assert b"Auth-SSL-Verify" not in question
    mail = house.mail_login()
    client.expect(b"a1 OK logged in\r\n")
    (relay,) = house.engine.ledger.live.values()
    assert isinstance(relay, TlsRelay)
    client.send(b"a2 NOOP\r\n")
    mail.expect(b"a2 NOOP\r\n")
    mail.send(b"a2 OK " + b"x" * 100_000 + b"\r\n")
    client.expect(b"x\r\n")
    mail.close()
    client.expect_end()
    expect_closed(house, CloseReason.DONE)
    lines = [text for _, text in house.log.lines if "logged in" in text or "session done" in text]
    assert len(lines) == 2
    how = "" if implicit else " using starttls"
    assert all(f"client: 127.0.0.1{how}, server: " in line for line in lines)


def test_plain_sessions_are_relayed_as_ever_where_starttls_is_offered(house: House) -> None:
    serve(house, starttls="on")
    house.login()
    (relay,) = house.engine.ledger.live.values()
    assert not isinstance(relay, TlsRelay)


# --- what comes where it should not ---


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_command_in_one_segment_with_starttls_ends_the_session(
    house: House, protocol: str
) -> None:
    serve(house, protocol, starttls="on")
    client = client_of(house)
    client.expect(GREETING[protocol])
    client.send(STARTTLS[protocol][0] + HELLO[protocol][0])
    heard = client.expect_end()
    assert heard.count(b"\r\n") == 1
    assert heard.startswith((b"1 BAD", b"-ERR", b"503"))
    expect_closed(house, CloseReason.STARTTLS_INJECTION)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("injected", [b"NOOP\r\n", b"2 LOGIN joe {6+}\r\n", b"\r\n\r\n\r\n"])
def test_a_command_in_the_next_segment_fails_the_handshake(
    house: House, protocol: str, injected: bytes
) -> None:
    client = started(house, protocol)
    client.send_raw(injected)
    assert b"\r\n" not in client.expect_end()
    expect_closed(house, CloseReason.TLS_FAILED)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("injected", [b"NOOP\r\n", b"2 LOGIN joe {6+}\r\n", b"\n", b"x"])
def test_nothing_injected_before_a_handshake_is_answered_inside_it(
    house: House, protocol: str, injected: bytes
) -> None:
    """The classic: one segment with a command, and the client's own handshake behind it."""
    client = started(house, protocol)
    client.send_raw(injected)
    client.begin()
    client.expect_end()
    assert client.tls is not None
    assert not client.tls.done
    expect_closed(house, CloseReason.TLS_FAILED)


@pytest.mark.parametrize(
    "octets", [b"GET / HTTP/1.0\r\n\r\n", b"a1 LOGIN joe secret\r\n", b"\0" * 9]
)
def test_no_tls_on_a_socket_with_ssl_is_told_by_an_alert_at_most(
    house: House, octets: bytes
) -> None:
    serve(house, implicit=True)
    client = client_of(house)
    client.send_raw(octets)
    heard = client.expect_end()
    assert heard == b"" or heard[:1] == b"\x15"
    expect_closed(house, CloseReason.TLS_FAILED)
    assert "secret" not in house.log.text()
    assert "while SSL handshaking, client: 127.0.0.1" in house.log.text()


def test_a_failed_handshake_is_told_the_operator_at_level_info(house: House) -> None:
    serve(house, implicit=True)
    client_of(house).shake(version=ssl.TLSVersion.TLSv1_2, ciphers="AES128-SHA")
    expect_closed(house, CloseReason.TLS_FAILED)
    (line,) = [text for text in house.log.lines if "SSL_do_handshake() failed" in text[1]]
    assert line[0] == "info"
    assert "no shared cipher" in line[1]


def test_a_client_that_leaves_in_its_handshake(house: House) -> None:
    serve(house, implicit=True)
    client_of(house).begin().close()
    expect_closed(house, CloseReason.CLIENT_CLOSED)
    assert "peer closed connection in SSL handshake while SSL handshaking" in house.log.text()


def test_a_reset_in_the_handshake(house: House) -> None:
    serve(house, implicit=True)
    client = client_of(house).begin()
    house.idle()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    house.pump(lambda: house.engine.open_count == 0, "the end")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_alpn_that_is_another_protocol_is_refused(house: House, protocol: str) -> None:
    client = started(house, protocol).shake(alpn=["http/1.1"])
    assert client.tls is not None
    assert "no application protocol" in str(client.tls.error)
    expect_closed(house, CloseReason.TLS_FAILED)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_alpn_of_the_protocol_is_agreed_to(house: House, protocol: str) -> None:
    serve(house, protocol, implicit=True)
    client = client_of(house).shake(alpn=["http/1.1", protocol])
    client.expect(GREETING[protocol])
    assert client.tls is not None
    assert client.tls.tls.selected_alpn_protocol() == protocol


# --- time ---


@pytest.mark.parametrize("implicit", [True, False])
def test_a_handshake_that_does_not_end_is_ended(house: House, implicit: bool) -> None:
    serve(house, implicit=implicit, starttls="on", timeout_ms=150)
    client = client_of(house)
    if not implicit:
        client.expect(GREETING["imap"])
        client.send(b"1 STARTTLS\r\n").expect(b"OK completed\r\n")
    client.send_raw(b"\x16\x03\x01")
    assert client.expect_end() == b""
    expect_closed(house, CloseReason.TLS_TIMEOUT)
    action = "SSL handshaking" if implicit else "in starttls state"
    assert f"client timed out (110: Connection timed out) while {action}, " in house.log.text()


def test_a_client_that_says_nothing_at_all_is_ended(house: House) -> None:
    serve(house, implicit=True, timeout_ms=150)
    client = client_of(house)
    assert client.expect_end() == b""
    expect_closed(house, CloseReason.TLS_TIMEOUT)


def test_the_time_is_begun_anew_by_the_greeting(house: House) -> None:
    serve(house, implicit=True, timeout_ms=300)
    client = client_of(house).shake()
    client.expect(GREETING["imap"])
    assert client.expect_end() == b""
    expect_closed(house, CloseReason.CLIENT_TIMEOUT)


# --- the end ---


def test_a_session_ends_with_close_notify(house: House) -> None:
    serve(house, implicit=True)
    client = client_of(house).shake()
    client.expect(GREETING["imap"])
    client.send(b"1 LOGOUT\r\n")
    assert client.expect_end() == b"* BYE\r\n1 OK completed\r\n"
    assert client.tls is not None
    assert isinstance(client.tls.error, ssl.SSLZeroReturnError) or client.tls.error is None
    expect_closed(house, CloseReason.CLIENT_QUIT)


def test_close_notify_before_login_is_the_end(house: House) -> None:
    serve(house, implicit=True)
    client = client_of(house).shake()
    client.expect(GREETING["imap"])
    assert client.tls is not None
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.tls.unwrap()
    client.send_raw(client.tls._outward.read())
    expect_closed(house, CloseReason.CLIENT_CLOSED)


def test_octets_that_are_no_record_end_a_session(house: House) -> None:
    serve(house, implicit=True)
    client = client_of(house).shake()
    client.expect(GREETING["imap"])
    client.send_raw(b"1 NOOP\r\n")
    expect_closed(house, CloseReason.CLIENT_ERROR)


def test_kicked_and_shut_down_sessions_are_closed_in_any_phase(house: House) -> None:
    serve(house, implicit=True)
    silent, shaken = client_of(house), client_of(house).shake()
    shaken.expect(GREETING["imap"])
    house.pump(lambda: house.engine.open_count == 2, "both are in")
    house.engine.close_sessions(CloseReason.SHUTDOWN)
    assert silent.expect_end() == b""
    assert shaken.expect_end() == b""
    assert closed(house, CloseReason.SHUTDOWN) == 2


def test_a_proxy_header_comes_before_tls_in_the_same_segment_too(house: House) -> None:
    apply(house, block(house, set_real_ip_from=("127.0.0.1",)), ssl=True, proxied=True)
    for gap in (False, True):
        client = client_of(house)
        client.tls = Client()
        _, hello = client.tls.feed(b"")
        header = b"PROXY TCP4 192.0.2.7 192.0.2.8 99 993\r\n"
        if gap:
            client.send_raw(header)
            house.idle()
            client.send_raw(hello)
        else:
            client.send_raw(header + hello)
        client.shake()
        client.expect(GREETING["imap"])
        assert b"\r\nClient-IP: 192.0.2.7\r\n" in login(house, client)
