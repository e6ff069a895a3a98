"""What happens before the greeting: PROXY header and host name, on real sockets."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from proxycore.contract.reasons import CloseReason
from proxycore.contract.snapshot import Resolver
from proxycore.contract.stats import SESSIONS_CLOSED, series
from proxycore.wire.proxyproto import read_header, render_v2
from tests.support import stub_dns
from tests.support.stub_dns import Failure, Question, Record, StubDns
from tests.unit.proxycore.net.house import House, Peer

HEADER = b"PROXY TCP4 192.0.2.1 192.0.2.2 123 5678\r\n"
LOGIN = b"a1 LOGIN alice secret\r\n"


def connect(house: House) -> Peer:
    return house.client(b"")


def closed(house: House, reason: CloseReason) -> None:
    house.pump(lambda: house.engine.open_count == 0, "the session's end")
    assert house.engine.ledger.counts[series(SESSIONS_CLOSED, "main", reason.value)] == 1
    assert house.engine._context.drivers == {}


# --- PROXY headers ---


@pytest.mark.parametrize("header", [HEADER, render_v2(("192.0.2.1", 123), ("192.0.2.2", 5678))])
def test_header_and_first_command_in_one_segment(house: House, header: bytes) -> None:
    house.serve(proxied=True)
    client = connect(house).send(header + LOGIN)
    client.expect(b"ready\r\n")
    _, request = house.asked()
    assert b"Client-IP: 127.0.0.1\r\n" in request
    assert (
        b"Proxy-Protocol-Addr: 192.0.2.1\r\nProxy-Protocol-Port: 123\r\n"
        b"Proxy-Protocol-Server-Addr: 192.0.2.2\r\nProxy-Protocol-Server-Port: 5678\r\n"
    ) in request


def test_a_header_may_come_octet_by_octet(house: House) -> None:
    house.serve(proxied=True)
    client = connect(house)
    for octet in HEADER:
        client.send(bytes((octet,)))
        house.idle(3)
        assert client.received == b""
    client.expect(b"ready\r\n")


def test_a_trusted_header_says_who_the_client_is(house: House) -> None:
    house.serve("smtp", proxied=True, set_real_ip_from=("127.0.0.0/8",))
    client = connect(house).send(HEADER)
    client.expect(b"220 ")
    client.send(b"AUTH PLAIN AHUAcA==\r\n")
    auth, request = house.asked()
    assert b"Client-IP: 192.0.2.1\r\n" in request
    assert b"Client-Port: 123\r\n" in request
    auth.send(house.ok())
    mail = house.accept(house.mail)
    mail.send(b"220 hi\r\n").expect(b"\r\n")
    mail.send(b"250 mx\r\n")
    assert b"XCLIENT ADDR=192.0.2.1 " in mail.expect(b"\r\n")
    assert f"client 127.0.0.1:{client.sock.getsockname()[1]} connected" in house.log.text()


@pytest.mark.parametrize(
    "header", [b"PROXY TCP4 999.0.2.7 192.0.2.2 1 2\r\n", b"PROXY UNKNOWN\r\n"]
)
def test_a_trusted_header_without_a_valid_address_changes_nothing(
    house: House, header: bytes
) -> None:
    house.serve(proxied=True, set_real_ip_from=("127.0.0.1",))
    connect(house).send(header + LOGIN).expect(b"ready\r\n")
    _, request = house.asked()
    assert b"Client-IP: 127.0.0.1\r\n" in request
    assert (b"Proxy-Protocol-Addr: 999.0.2.7\r\n" in request) is (b"999" in header)


def test_a_broken_header_is_logged_without_the_password_and_closed_without_a_word(
    house: House,
) -> None:
    house.serve(proxied=True)
    client = connect(house).send(LOGIN)
    assert client.expect_end() == b""
    closed(house, CloseReason.BAD_PROXY_HEADER)
    assert '[error] *1 broken header: "a1 LOGIN ********" while reading PROXY' in house.log.text()
    assert "secret" not in house.log.text()


def test_no_header_within_timeout(house: House) -> None:
    house.serve(proxied=True, timeout_ms=100)
    client = connect(house).send(b"PROXY TCP4")
    assert client.expect_end() == b""
    closed(house, CloseReason.CLIENT_TIMEOUT)
    assert "client timed out (110: Connection timed out) while reading PROXY" in house.log.text()


def test_a_client_that_goes_before_its_header_is_complete(house: House) -> None:
    house.serve(proxied=True)
    client = connect(house).send(b"PROXY TCP4")
    house.pump(lambda: house.engine.open_count == 1, "the session")
    client.close()
    closed(house, CloseReason.CLIENT_CLOSED)


def test_a_stop_before_the_header(house: House) -> None:
    house.serve(proxied=True)
    client = connect(house)
    house.pump(lambda: house.engine.open_count == 1, "the session")
    assert house.engine.close_sessions(CloseReason.SHUTDOWN) == 1
    assert client.expect_end() == b""
    closed(house, CloseReason.SHUTDOWN)


def test_where_no_header_is_expected_it_is_no_command_and_nobody_is_believed(house: House) -> None:
    house.serve(set_real_ip_from=("127.0.0.1",))
    client = house.client()
    assert b"BAD" in client.send(HEADER).expect(b"\r\n")
    client.send(LOGIN)
    _, request = house.asked()
    assert b"Client-IP: 127.0.0.1\r\n" in request
    assert b"Proxy-Protocol" not in request


# --- PROXY headers to mail servers ---


@pytest.mark.parametrize("version", ["on", "v2"])
def test_the_mail_server_hears_of_the_client_first(house: House, version: str) -> None:
    house.serve(proxied=True, set_real_ip_from=("127.0.0.1",), proxy_protocol=version)
    client = connect(house).send(HEADER + LOGIN)
    client.expect(b"ready\r\n")
    auth, _ = house.asked()
    auth.send(house.ok())
    mail = house.accept(house.mail)
    house.pump(lambda: mail.read() and len(mail.received) > 30, "a header")
    header = read_header(mail.received)
    assert header is not None
    assert header.end == len(mail.received)
    facts = header.facts
    assert facts is not None
    assert (facts.client_ip, facts.client_port) == ("192.0.2.1", 123)
    assert (facts.server_ip, facts.server_port) == house.address
    mail.received = b""
    mail.send(b"* OK hi\r\n")
    mail.expect(b"a1 LOGIN")
    mail.send(b"a1 OK in\r\n")
    client.expect(b"a1 OK in\r\n")


def test_a_refused_connection_with_a_header_to_send(house: House) -> None:
    house.serve(proxy_protocol="on")
    house.mail.close()
    client = house.client().send(LOGIN)
    auth, _ = house.asked()
    auth.send(house.ok_at("127.0.0.1", 1))
    assert client.expect_end() == b"* BAD internal server error\r\n"
    closed(house, CloseReason.BACKEND_REFUSED)
    assert "connect() failed (111: Connection refused)" in house.log.text()
    house.mail = socket.socket()


# --- host names ---


def zone(ptr: stub_dns.Answer, address: str = "127.0.0.1") -> stub_dns.Answer:
    def decide(question: Question) -> stub_dns.Answer:
        if question.type == stub_dns.PTR:
            return ptr
        if question.type == stub_dns.A:
            return [Record(stub_dns.A, stub_dns.address(address))]
        return []

    return decide  # type: ignore[return-value]


def pointed(name: bytes) -> list[Record]:
    return [Record(stub_dns.PTR, name)]


GOOD = pointed(stub_dns.name("a.example.net"))


@contextmanager
def named(house: House, decide: object, **settings: object) -> Iterator[StubDns]:
    with StubDns(decide) as dns:  # type: ignore[arg-type]
        house.serve("smtp", resolver=Resolver(addresses=(dns.address,)), **settings)
        yield dns


def told(house: House) -> bytes:
    client = connect(house)
    client.expect(b"220 ")
    client.send(b"AUTH PLAIN AHUAcA==\r\n")
    auth, request = house.asked()
    auth.send(b"Auth-Status: no\r\n\r\n")
    client.expect_end()
    return request.partition(b"Client-Host: ")[2].partition(b"\r\n")[0]


@pytest.mark.parametrize(
    ("decide", "host"),
    [
        (zone(GOOD), b"a.example.net"),
        (zone(GOOD, "192.0.2.9"), b"[UNAVAILABLE]"),
        (zone(Failure(stub_dns.NXDOMAIN)), b"[UNAVAILABLE]"),
        (zone(Failure(stub_dns.SERVFAIL)), b"[TEMPUNAVAIL]"),
        (zone(pointed(stub_dns.labels(b"a\r\nX-Evil: 1", b"net"))), b"[TEMPUNAVAIL]"),
        (zone(pointed(stub_dns.labels(b"a b", b"net"))), b"[TEMPUNAVAIL]"),
        (zone(pointed(stub_dns.labels(b"a%0d", b"net"))), b"[TEMPUNAVAIL]"),
        (zone(pointed(stub_dns.labels(b"a_b", b"net"))), b"[TEMPUNAVAIL]"),
        (zone(pointed(stub_dns.labels(b"\xe4", b"net"))), b"[TEMPUNAVAIL]"),
        (zone(pointed(stub_dns.labels())), b"[TEMPUNAVAIL]"),
        (
            zone([Record(stub_dns.CNAME, stub_dns.name("b.example.net"))]),
            b"[TEMPUNAVAIL]",
        ),
    ],
)
def test_names_of_clients(house: House, decide: object, host: bytes) -> None:
    with named(house, decide):
        assert told(house) == host, house.log.text()


def test_an_answer_is_used_again(house: House) -> None:
    with named(house, zone(GOOD)) as dns:
        assert told(house) == told(house) == b"a.example.net"
        assert len([one for one in dns.asked if one.type == stub_dns.PTR]) == 1


def test_silence_of_name_servers_costs_resolver_timeout_and_is_shared(house: House) -> None:
    with named(house, lambda _: None, resolver_timeout_ms=200) as dns:
        first, second = connect(house), connect(house)
        house.pump(lambda: house.engine.open_count == 2, "two sessions")
        first.send(b"EHLO early\r\n")
        house.idle()
        assert first.received == second.received == b""
        first.expect(b"250 ")
        second.expect(b"220 ")
        assert len({question.name for question in dns.asked}) == 1
        (resolver,) = house.engine._resolvers.values()
        assert len(resolver._pending) == 1
    assert "127.0.0.1 could not be resolved (110: Operation timed out)" in house.log.text()


def test_a_client_that_goes_while_its_name_is_looked_for(house: House) -> None:
    with named(house, lambda _: None):
        client = connect(house)
        house.pump(lambda: house.engine.open_count == 1, "the session")
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        closed(house, CloseReason.CLIENT_CLOSED)


def test_other_protocols_do_not_wait_for_names(house: House) -> None:
    with StubDns(lambda _: None) as dns:
        house.serve(resolver=Resolver(addresses=(dns.address,)))
        house.client()
        assert dns.asked == []


# --- mail servers by name ---


def log_in_at(house: House, server: str) -> Peer:
    client = house.client().send(LOGIN)
    auth, _ = house.asked()
    auth.send(house.ok_at(server, house.mail.getsockname()[1]))
    return client


def test_a_mail_server_by_name(house: House) -> None:
    with StubDns(zone([], "127.0.0.1")) as dns:  # type: ignore[arg-type]
        house.serve(resolver=Resolver(addresses=(dns.address,)))
        for _ in range(2):
            client = log_in_at(house, "Mail.example")
            house.mail_login()
            client.expect(b"a1 OK logged in\r\n")
        assert [one for one in dns.asked if one.type == stub_dns.A] == [
            Question("mail.example", stub_dns.A)
        ]
    assert f"upstream: 127.0.0.1:{house.mail.getsockname()[1]}" in house.log.text()


def test_all_addresses_of_a_name_are_tried(house: House) -> None:
    def decide(question: Question) -> stub_dns.Answer:
        if question.type != stub_dns.A:
            return []
        addresses = ("127.0.0.2", "127.0.0.3", "127.0.0.1")
        return [Record(stub_dns.A, stub_dns.address(one)) for one in addresses]

    with StubDns(decide) as dns:
        house.serve(resolver=Resolver(addresses=(dns.address,)), proxy_protocol="on")
        client = log_in_at(house, "mail.example")
        mail = house.accept(house.mail)
        mail.expect(b"\r\n")
        mail.send(b"* OK hi\r\n").expect(b"a1 LOGIN")
        mail.send(b"a1 OK in\r\n")
        client.expect(b"a1 OK in\r\n")


def test_when_no_address_takes_the_connection(house: House) -> None:
    with StubDns(zone([], "127.0.0.2")) as dns:  # type: ignore[arg-type]
        house.serve(resolver=Resolver(addresses=(dns.address,)))
        client = log_in_at(house, "mail.example")
        assert client.expect_end() == b"* BAD internal server error\r\n"
    closed(house, CloseReason.BACKEND_REFUSED)


def test_a_name_nobody_knows(house: House) -> None:
    with StubDns(lambda _: Failure(stub_dns.NXDOMAIN)) as dns:
        house.serve(resolver=Resolver(addresses=(dns.address,)))
        client = log_in_at(house, "mail.example")
        assert client.expect_end() == b"* BAD internal server error\r\n"
    closed(house, CloseReason.BACKEND_REFUSED)
    assert '"mail.example" could not be resolved (3: Host not found)' in house.log.text()


def test_without_a_resolver_the_systems_own_is_asked(house: House) -> None:
    house.serve()
    client = log_in_at(house, "localhost")
    house.mail_login()
    client.expect(b"a1 OK logged in\r\n")


def test_a_session_that_goes_while_its_mail_server_is_looked_for(house: House) -> None:
    with StubDns(lambda _: None) as dns:
        house.serve(resolver=Resolver(addresses=(dns.address,)))
        client = log_in_at(house, "mail.example")
        house.pump(lambda: dns.asked, "a question")
        client.close()
        closed(house, CloseReason.CLIENT_CLOSED)
