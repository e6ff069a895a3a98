"""Real mail servers and a real auth_http service say whether a password is right."""

import contextlib
import os
import socket
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from appliance.credentials import verifiers
from appliance.credentials.verifiers import Answer, Question
from appliance.lib import line
from appliance.routing.choices import HostTls, VerifierKind
from appliance.routing.models import MailHost, Verifier
from proxycore.contract.authhttp import AuthRequest
from proxycore.contract.protocol import Protocol
from tests.support import cast
from tests.support.authserver import AuthServer
from tests.support.dovecot import Dovecot
from tests.support.pki import Authority
from tests.support.ports import free_port
from tests.support.postfix import Postfix


@pytest.fixture(scope="module")
def submission(mailhost01: Dovecot) -> Generator[int, None, None]:
    """A mail server whose SMTP asks for a password. Only root can start one."""
    if os.getuid() != 0:
        pytest.skip("starting a Postfix takes root")
    with Postfix("submission", sasl=mailhost01) as postfix:
        yield postfix.port


@pytest.fixture
def secure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Generator[tuple[Dovecot, Authority], None, None]:
    """A mail server with TLS, and the authority that the system is made to trust."""
    authority = Authority()
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    line.trust.cache_clear()
    pair = authority.issue("mail.example.com")
    with Dovecot("secure", cast.PASSWORDS, pair=pair) as server:
        yield server, authority
    line.trust.cache_clear()


CLEAR = dict.fromkeys(("imap_tls", "pop3_tls", "smtp_tls"), HostTls.NONE)


@pytest.fixture
def host(mailhost01: Dovecot) -> MailHost:
    """Where Alice's mail is."""
    ports = {"imap_port": mailhost01.imap_port, "pop3_port": mailhost01.pop3_port}
    return MailHost(name="mailhost01", address="127.0.0.1", **ports, **CLEAR)


def _ask(verifier: Verifier, host: MailHost, login: str, password: str) -> Answer:
    request = AuthRequest(
        protocol=Protocol.IMAP,
        method="plain",
        login=login.encode(),
        password=password.encode(),
        attempt=1,
        client_ip="192.0.2.7",
    )
    return verifiers.make(verifier).verify(Question(request, host))


@pytest.mark.parametrize("protocol", [Protocol.IMAP, Protocol.POP3])
@pytest.mark.parametrize("is_fixed", [True, False])
def test_a_mail_server_knows(host: MailHost, protocol: Protocol, is_fixed: bool) -> None:
    elsewhere = MailHost(name="elsewhere", address="127.0.0.1", imap_port=1, pop3_port=1, **CLEAR)
    verifier = Verifier(protocol=protocol.value, mail_host=host if is_fixed else None)
    place = elsewhere if is_fixed else host
    assert _ask(verifier, place, cast.ALICE, cast.PASSWORDS[cast.ALICE]) is Answer.RIGHT
    assert _ask(verifier, place, cast.ALICE, "wrong") is Answer.WRONG
    assert _ask(verifier, place, "nobody", "wrong") is Answer.WRONG
    assert _ask(verifier, place, cast.ALICE, "a\r\nDELE 1") is Answer.WRONG
    assert _ask(verifier, place, cast.ALICE, "a\0b") is Answer.WRONG


def test_an_smtp_server_knows(host: MailHost, submission: int) -> None:
    host.smtp_port = submission
    verifier = Verifier(protocol="smtp")
    assert _ask(verifier, host, cast.ALICE, cast.PASSWORDS[cast.ALICE]) is Answer.RIGHT
    assert _ask(verifier, host, cast.ALICE, "wrong") is Answer.WRONG


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("protocol", list(Protocol))
def test_a_mail_server_that_is_away_or_silent_cannot_say(protocol: Protocol, silent: int) -> None:
    for port in (free_port(), silent):
        ports = dict.fromkeys(("imap_port", "pop3_port", "smtp_port"), port)
        host = MailHost(name="x", address="127.0.0.1", **ports, **CLEAR)
        verifier = Verifier(protocol=protocol.value, timeout_ms=200)
        assert _ask(verifier, host, cast.ALICE, "x") is Answer.AWAY


SAID = [
    ("imap", b"* OK hi\r\n+ \r\na NO [UNAVAILABLE] later\r\n", Answer.AWAY),
    ("imap", b"* OK hi\r\n+ \r\na NO [AUTHENTICATIONFAILED] no\r\n", Answer.WRONG),
    ("imap", b"* OK hi\r\n+ \r\n* CAPABILITY IMAP4rev1\r\na OK in\r\n", Answer.RIGHT),
    ("imap", b"* OK hi\r\na BAD unknown\r\n", Answer.AWAY),
    ("imap", b"* PREAUTH hi\r\n", Answer.AWAY),
    ("imap", b"* BYE full\r\n", Answer.AWAY),
    ("pop3", b"+OK\r\n+OK\r\n-ERR [IN-USE] locked\r\n", Answer.AWAY),
    ("pop3", b"+OK\r\n+OK\r\n-ERR [SYS/TEMP] later\r\n", Answer.AWAY),
    ("pop3", b"+OK\r\n+OK\r\n-ERR no\r\n", Answer.WRONG),
    ("pop3", b"+OK\r\n-ERR no such user\r\n", Answer.WRONG),
    ("pop3", b"-ERR busy\r\n", Answer.AWAY),
    ("smtp", b"220 hi\r\n250-x\r\n250 AUTH PLAIN\r\n235 in\r\n", Answer.RIGHT),
    ("smtp", b"220 hi\r\n250 x\r\n535 5.7.8 no\r\n", Answer.WRONG),
    ("smtp", b"220 hi\r\n250 x\r\n454 4.7.0 later\r\n", Answer.AWAY),
    ("smtp", b"220 hi\r\n250 x\r\n503 no AUTH here\r\n", Answer.AWAY),
    ("smtp", b"421 busy\r\n", Answer.AWAY),
    ("smtp", b"x" * 20_000, Answer.AWAY),
]


@pytest.mark.parametrize(("protocol", "said", "answer"), SAID)
def test_only_a_plain_refusal_is_a_wrong_password(
    protocol: str, said: bytes, answer: Answer
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def speak() -> None:
            with listener.accept()[0] as peer, contextlib.suppress(ConnectionError):
                peer.sendall(said)
                while peer.recv(4096):
                    pass

        speaker = threading.Thread(target=speak)
        speaker.start()
        ports = dict.fromkeys(("imap_port", "pop3_port", "smtp_port"), port)
        host = MailHost(name="x", address="127.0.0.1", **ports, **CLEAR)
        assert _ask(Verifier(protocol=protocol, timeout_ms=5_000), host, "joe", "pw") is answer
        speaker.join(10)
        assert not speaker.is_alive()


@pytest.mark.parametrize(
    ("verdict", "answer"),
    [
        ({"Auth-Status": "OK", "Auth-Server": "192.0.2.1", "Auth-Port": "143"}, Answer.RIGHT),
        (
            {"Auth-Server": "192.0.2.1", "Auth-Port": "25", "Auth-Proxy-Auth": "on"},
            Answer.UNSAID,
        ),
        ({"Auth-Status": "No such user", "Auth-Wait": "3"}, Answer.WRONG),
        ({"Auth-Status": "WAIT", "Auth-Wait": "3"}, Answer.AWAY),
        ({"Auth-Status": "OK"}, Answer.AWAY),
    ],
)
def test_an_auth_http_service_knows(
    host: MailHost, verdict: dict[str, str], answer: Answer
) -> None:
    with AuthServer(lambda asked: verdict) as service:
        verifier = Verifier(
            kind=VerifierKind.AUTH_HTTP,
            url=f"http://127.0.0.1:{service.port}/auth",
            header="X-Key",
            secret="canary-7f3a9c-verifier",
        )
        assert _ask(verifier, host, "joe", "p w%") is answer
        (asked,) = service.asked
        assert (asked.login, asked.password, asked.path) == ("joe", "p w%", "/auth")
        assert asked.headers["X-Key"] == "canary-7f3a9c-verifier"
        assert asked.headers["Client-IP"] == "192.0.2.7"


def test_an_auth_http_service_that_is_away_cannot_say(host: MailHost, silent: int) -> None:
    for port in (free_port(), silent):
        verifier = Verifier(
            kind=VerifierKind.AUTH_HTTP, url=f"127.0.0.1:{port}/auth", timeout_ms=200
        )
        assert _ask(verifier, host, "joe", "pw") is Answer.AWAY


@pytest.mark.parametrize("protocol", [Protocol.IMAP, Protocol.POP3])
@pytest.mark.parametrize("mode", [HostTls.STARTTLS, HostTls.IMPLICIT, HostTls.BLOCK])
def test_a_mail_server_with_tls_has_to_prove_itself_before_it_hears_a_password(
    secure: tuple[Dovecot, Authority], protocol: Protocol, mode: HostTls
) -> None:
    server, _ = secure
    ports = {"imap_port": server.imap_port, "pop3_port": server.pop3_port}
    if mode is HostTls.IMPLICIT:
        ports = {"imap_port": server.imaps_port, "pop3_port": server.pop3s_port}
    host = MailHost(name="secure", address="127.0.0.1", tls_name="mail.example.com", **ports)
    host.imap_tls = host.pop3_tls = mode
    verifier = Verifier(protocol=protocol.value)
    assert _ask(verifier, host, cast.ALICE, cast.PASSWORDS[cast.ALICE]) is Answer.RIGHT
    assert _ask(verifier, host, cast.ALICE, "wrong") is Answer.WRONG
    logins = len(server.logins())
    host.tls_name = "other.example.com"
    assert _ask(verifier, host, cast.ALICE, cast.PASSWORDS[cast.ALICE]) is Answer.AWAY
    assert len(server.logins()) == logins


def test_a_mail_server_without_starttls_hears_no_password(mailhost01: Dovecot) -> None:
    ports = {"imap_port": mailhost01.imap_port, "pop3_port": mailhost01.pop3_port}
    host = MailHost(name="plain", address="127.0.0.1", **ports)
    for protocol in (Protocol.IMAP, Protocol.POP3):
        right = cast.PASSWORDS[cast.ALICE]
        assert _ask(Verifier(protocol=protocol.value), host, cast.ALICE, right) is Answer.AWAY
