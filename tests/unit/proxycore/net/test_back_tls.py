"""The mail server's connection with TLS: misbehaving mail servers, and what passes after login."""

import select
import socket
from collections.abc import Callable, Generator

import pytest

from proxycore.contract.reasons import CloseReason
from proxycore.contract.snapshot import Resolver
from proxycore.contract.stats import SESSIONS_CLOSED, series
from proxycore.contract.tls import BackTls
from tests.support import stub_dns
from tests.support.pki import self_signed
from tests.support.stub_dns import StubDns
from tests.unit.proxycore.net.house import House, Peer
from tests.unit.proxycore.net.sealed import (
    AUTHORITY,
    CLEAR,
    NAME,
    Sealed,
    let_in,
    met,
    server_context,
    submit,
)

MODES = ["implicit", "starttls"]
LOGIN = {
    "imap": (b"a1 LOGIN alice secret\r\n", b"* BAD internal server error\r\n"),
    "pop3": (b"USER alice\r\nPASS secret\r\n", b"+OK\r\n-ERR internal server error\r\n"),
    "smtp": (b"AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n", b"451 4.3.2 Internal server error\r\n"),
}
SECRETS = (b"secret", b"alice", b"AGFsaWNlAHNlY3JldA==")


def serve(house: House, mode: str, protocol: str = "imap", **more: object) -> None:
    trusted = "data:" + AUTHORITY.pem
    tls = BackTls(proxy_ssl=mode, proxy_ssl_name=NAME, proxy_ssl_trusted_certificate=trusted)
    house.serve(protocol, back_tls=tls, **more)  # type: ignore[arg-type]


def closed(house: House, reason: CloseReason) -> int:
    return house.engine.ledger.counts.get(series(SESSIONS_CLOSED, "main", reason.value), 0)


def errors(house: House) -> str:
    return "\n".join(text for level, text in house.log.lines if level == "error")


def submit_as(house: House, protocol: str) -> Peer:
    client = house.client()
    client.send(LOGIN[protocol][0])
    auth, _ = house.asked()
    auth.send(house.ok())
    return client


# --- mail servers that will not do ---------------------------------------------------------------

_FAKE = {
    "imap": b"a1 OK [CAPABILITY XEVIL] in\r\n",
    "pop3": b"+OK\r\n+OK in\r\n",
    "smtp": b"250 AUTH LOGIN\r\n",
}


@pytest.mark.parametrize("protocol", LOGIN)
def test_octets_behind_the_answer_to_starttls_end_it(house: House, protocol: str) -> None:
    serve(house, "starttls", protocol, proxy_smtp_auth=True)
    client = submit_as(house, protocol)
    mail = house.accept(house.mail)
    answered = mail.send

    def send(data: bytes) -> Peer:
        # the last thing said in clear
        is_answer = b"begin" in data
        return answered(data + _FAKE[protocol] if is_answer else data)

    mail.send = send  # type: ignore[method-assign]
    CLEAR[protocol]["starttls"](mail)
    assert mail.expect_end() == b"", "not even a ClientHello"
    assert client.expect_end() == LOGIN[protocol][1]
    assert closed(house, CloseReason.BACKEND_NO_STARTTLS) == 1
    assert "nothing is sent to it in clear" in errors(house)


@pytest.mark.parametrize("protocol", LOGIN)
def test_octets_in_the_next_segment_break_the_handshake(house: House, protocol: str) -> None:
    serve(house, "starttls", protocol, proxy_smtp_auth=True)
    client = submit_as(house, protocol)
    mail = house.accept(house.mail)
    CLEAR[protocol]["starttls"](mail)
    hello = mail.expect(b"\x16\x03")
    mail.send(_FAKE[protocol])
    rest = mail.expect_end()
    assert not any(secret in hello + rest for secret in SECRETS)
    assert client.expect_end() == LOGIN[protocol][1]
    assert closed(house, CloseReason.BACKEND_TLS_FAILED) == 1
    assert "it answers in clear" in errors(house)


@pytest.mark.parametrize("protocol", LOGIN)
def test_a_login_inside_tls_of_each_protocol(house: House, protocol: str) -> None:
    serve(house, "starttls", protocol, proxy_smtp_auth=True, xclient=False)
    client = submit_as(house, protocol)
    mail = house.accept(house.mail)
    CLEAR[protocol]["starttls"](mail)
    sealed = Sealed(mail, server_context()).shake()
    said = {
        "imap": [(b'a1 LOGIN "alice" "secret"\r\n', b"a1 OK in\r\n")],
        "pop3": [(b"USER alice\r\n", b"+OK\r\n"), (b"PASS secret\r\n", b"+OK in\r\n")],
        "smtp": [
            (b"HELO mx.example.com\r\n", b"250 hi\r\n"),
            (b"AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n", b"235 in\r\n"),
        ],
    }[protocol]
    for command, answer in said:
        assert sealed.expect(b"\r\n") == command
        sealed.send(answer)
    client.expect({"imap": b"OK in\r\n", "pop3": b"OK in\r\n", "smtp": b"235 2.0.0 OK"}[protocol])


@pytest.mark.parametrize("protocol", LOGIN)
def test_a_port_that_speaks_in_clear_learns_nothing(house: House, protocol: str) -> None:
    serve(house, "implicit", protocol)
    client = submit_as(house, protocol)
    mail = house.accept(house.mail)
    mail.send({"imap": b"* OK hi\r\n", "pop3": b"+OK hi\r\n", "smtp": b"220 hi\r\n"}[protocol])
    assert not any(secret in mail.expect_end() for secret in SECRETS)
    assert client.expect_end() == LOGIN[protocol][1]
    assert "does this port want proxy_ssl starttls?" in errors(house)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("reset", [False, True])
def test_one_that_goes_away_in_the_handshake(house: House, mode: str, reset: bool) -> None:
    serve(house, mode)
    client = submit(house)
    mail = house.accept(house.mail)
    CLEAR["imap"][mode](mail)
    mail.expect(b"\x16\x03")
    if reset:
        mail.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    mail.close()
    assert client.expect_end() == b"* BAD internal server error\r\n"
    assert closed(house, CloseReason.BACKEND_TLS_FAILED) == 1
    assert "upstream closed the connection in SSL handshake while SSL handshaking" in errors(house)


@pytest.mark.parametrize("mode", MODES)
def test_a_handshake_that_never_ends_has_the_time_of_the_login(house: House, mode: str) -> None:
    serve(house, mode, timeout_ms=1000)
    client = submit(house)
    mail = house.accept(house.mail)
    CLEAR["imap"][mode](mail)
    mail.expect(b"\x16\x03")
    assert client.expect_end() == b"* BAD internal server error\r\n"
    assert closed(house, CloseReason.BACKEND_TIMEOUT) == 1
    mail.expect_end()


@pytest.mark.parametrize("mode", MODES)
def test_one_that_goes_away_inside_tls(house: House, mode: str) -> None:
    serve(house, mode)
    client = submit(house)
    sealed = met(house, mode, server_context())
    sealed.peer.close()
    assert client.expect_end() == b"* BAD internal server error\r\n"
    assert closed(house, CloseReason.BACKEND_CLOSED) == 1


def test_one_that_is_not_there_is_not_a_fault_of_tls(house: House) -> None:
    serve(house, "implicit")
    gone = socket.create_server(("127.0.0.1", 0))
    port = gone.getsockname()[1]
    gone.close()
    client = house.client()
    client.send(b"a1 LOGIN alice secret\r\n")
    house.asked()[0].send(house.ok_at("127.0.0.1", port))
    assert client.expect_end() == b"* BAD internal server error\r\n"
    assert closed(house, CloseReason.BACKEND_REFUSED) == 1
    assert "connect() failed (111: Connection refused)" in errors(house)


@pytest.mark.parametrize("mode", MODES)
def test_a_client_that_leaves_meanwhile(house: House, mode: str) -> None:
    serve(house, mode)
    client = submit(house)
    mail = house.accept(house.mail)
    CLEAR["imap"][mode](mail)
    mail.expect(b"\x16\x03")
    client.close()
    mail.expect_end()
    assert closed(house, CloseReason.CLIENT_CLOSED) == 1


def test_a_bug_of_ours_ends_the_session_only(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from proxycore.net.tls.back import BackTlsEndpoint

    def fail(*_arguments: object) -> None:
        raise AssertionError("a bug")

    serve(house, "implicit")
    client = submit(house)
    mail = house.accept(house.mail)
    mail.expect(b"\x16\x03")
    monkeypatch.setattr(BackTlsEndpoint, "feed", fail)
    mail.send(b"x")
    client.expect_end()
    assert closed(house, CloseReason.INTERNAL) == 1
    assert "a bug, traceback: " in house.log.text()


# --- what is sent, and when ----------------------------------------------------------------------


@pytest.mark.parametrize("version", ["on", "v2"])
def test_the_proxy_header_comes_before_the_handshake(house: House, version: str) -> None:
    serve(house, "implicit", proxy_protocol=version)
    client = submit(house)
    mail = house.accept(house.mail)
    start = b"PROXY TCP4" if version == "on" else b"\r\n\r\n\0\r\nQUIT\n"
    house.pump(lambda: (mail.read() or True) and b"\x16\x03" in mail.received, "a ClientHello")
    header, _, hello = mail.received.partition(b"\x16\x03")
    assert header.startswith(start)
    mail.received = b"\x16\x03" + hello
    let_in(Sealed(mail, server_context()).shake(), "implicit")
    client.expect(b"a1 OK logged in\r\n")


@pytest.mark.parametrize("mode", MODES)
def test_what_is_left_over_on_both_sides_is_passed_on(house: House, mode: str) -> None:
    serve(house, mode)
    client = house.client()
    client.send(b"a1 LOGIN alice secret\r\na2 SELECT INBOX\r\n")
    house.asked()[0].send(house.ok())
    sealed = met(house, mode, server_context())
    if mode == "implicit":
        sealed.send(b"* OK ready\r\n")
    sealed.expect(b'"secret"\r\n')
    sealed.send(b"a1 OK in\r\n* 3 EXISTS\r\n* half a li")
    client.expect(b"a1 OK in\r\n* 3 EXISTS\r\n* half a li")
    assert sealed.expect(b"\r\n") == b"a2 SELECT INBOX\r\n"
    sealed.send(b"ne\r\n")
    client.expect(b"ne\r\n")
    client.send(b"x" * 300_000 + b"\r\n")
    assert sealed.expect(b"\r\n") == b"x" * 300_000 + b"\r\n"
    client.close()
    assert sealed.expect_end() == b""
    assert not sealed.fault, "the end was not said in TLS"


@pytest.mark.parametrize("mode", MODES)
def test_a_refused_login_is_left_politely(house: House, mode: str) -> None:
    serve(house, mode)
    client = submit(house)
    sealed = met(house, mode, server_context())
    if mode == "implicit":
        sealed.send(b"* OK ready\r\n")
    sealed.expect(b'"secret"\r\n')
    sealed.send(b"a1 NO wrong\r\n")
    assert client.expect_end() == b"* BAD internal server error\r\n"
    sealed.expect_end()
    assert not sealed.fault
    assert closed(house, CloseReason.BACKEND_REJECTED) == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_server_that_says_goodbye_in_tls_has_gone(house: House, mode: str) -> None:
    serve(house, mode)
    client = submit(house)
    sealed = met(house, mode, server_context())
    if mode == "starttls":
        sealed.expect(b'"secret"\r\n')
    sealed.close_notify()
    assert client.expect_end() == b"* BAD internal server error\r\n"
    assert closed(house, CloseReason.BACKEND_CLOSED) == 1


def test_every_octet_may_come_by_itself(house: House) -> None:
    serve(house, "starttls")
    client = submit(house)
    mail = house.accept(house.mail)
    CLEAR["imap"]["starttls"](mail)
    whole: Callable[[bytes], Peer] = mail.send

    def send(data: bytes) -> Peer:
        for i in range(len(data)):
            whole(data[i : i + 1])
            house.step()
        return mail

    mail.send = send  # type: ignore[method-assign]
    let_in(Sealed(mail, server_context()).shake(), "starttls")
    client.expect(b"a1 OK logged in\r\n")


# --- a mail server with several addresses ---------------------------------------------------------


@pytest.fixture
def names() -> Generator[StubDns, None, None]:
    """Every name is at 127.0.0.1 and at 127.0.0.2."""

    def decide(question: stub_dns.Question) -> stub_dns.Answer:
        ips = ("127.0.0.1", "127.0.0.2") if question.type == stub_dns.A else ()
        return [stub_dns.Record(stub_dns.A, stub_dns.address(ip)) for ip in ips]

    with StubDns(decide) as dns:
        yield dns


def submit_by_name(house: House, dns: StubDns) -> Peer:
    serve(house, "implicit", resolver=Resolver(addresses=(dns.address,)))
    client = house.client()
    client.send(b"a1 LOGIN alice secret\r\n")
    port = house.mail.getsockname()[1]
    house.asked()[0].send(house.ok_at(NAME, port))
    return client


def test_the_next_address_is_tried_when_one_cannot_be_connected_to(
    house: House, names: StubDns
) -> None:
    for _ in range(2):
        # whichever comes first
        client = submit_by_name(house, names)
        let_in(met(house, "implicit", server_context()), "implicit")
        client.expect(b"a1 OK logged in\r\n")


def test_the_next_address_is_not_tried_when_one_is_not_whom_we_mean(
    house: House, names: StubDns
) -> None:
    port = house.mail.getsockname()[1]
    with socket.create_server(("127.0.0.2", port)) as other:
        other.setblocking(False)
        client = submit_by_name(house, names)
        (taker,) = house.pump(lambda: readable(house.mail, other), "a connection from the proxy")
        impostor = server_context(self_signed(NAME))
        assert Sealed(house.accept(taker), impostor).shake().fault
        assert client.expect_end() == b"* BAD internal server error\r\n"
        house.idle()
        assert readable(house.mail, other) == []
    assert closed(house, CloseReason.BACKEND_UNTRUSTED) == 1


def readable(*listeners: socket.socket) -> list[socket.socket]:
    return select.select(listeners, [], [], 0)[0]
