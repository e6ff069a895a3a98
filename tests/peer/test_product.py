"""Where ours is meant to do better than nginx, beyond what other modules here show."""

import socket
import struct
import time
from collections.abc import Generator

import pytest

from tests.peer.stage import Stage, staged
from tests.support.stub_auth import Answer, Request
from tests.support.stub_backends import ImapStub, Pop3Stub, SmtpStub
from tests.support.talk import Imap, Smtp, Talk, plain
from tests.support.wait import eventually

pytestmark = pytest.mark.ours("see the module")

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    proxy_timeout 15s;
    server { listen @1@; protocol imap; }
    server { listen @2@; protocol pop3; }
    server { listen @3@; protocol smtp; smtp_auth plain none; }
    server { listen @4@; protocol imap; max_commands 3; }
    server { listen @5@; protocol imap; proxy_protocol v2; }
"""
_AUTH = f"AUTH PLAIN {plain('u', 'p')}"


@pytest.fixture(scope="module")
def stage(kind: str) -> Generator[Stage, None, None]:
    with staged(kind, _MAIL, lambda _: None) as running:
        yield running


@pytest.fixture(autouse=True)
def _cleared(
    stage: Stage, imap_backend: ImapStub, pop3_backend: Pop3Stub, smtp_backend: SmtpStub
) -> None:
    stage.auth.clear()
    for backend in (imap_backend, pop3_backend, smtp_backend):
        backend.clear()


def _answers(stage: Stage, *answers: Answer) -> None:
    """Give these answers in turn, the last one for ever."""

    def decide(_: Request) -> Answer:
        return answers[min(len(stage.auth.requests), len(answers)) - 1]

    stage.auth.decide = decide


def _ok(port: int, server: str = "127.0.0.1") -> dict[str, str]:
    return {"Auth-Status": "OK", "Auth-Server": server, "Auth-Port": str(port)}


def test_the_auth_service_learns_both_ports(stage: Stage) -> None:
    _answers(stage, {"Auth-Status": "No"})
    with stage.imap() as talk:
        port = talk.socket.getsockname()[1]
        talk.ask("a LOGIN u p")
    (request,) = stage.auth.requests
    assert request.lines[-2:] == [f"Client-Port: {port}", f"Auth-Port: {stage.ports[0]}"]


def test_wait_without_a_time_is_no_storm(stage: Stage, imap_backend: ImapStub) -> None:
    _answers(stage, {"Auth-Status": "WAIT"}, _ok(imap_backend.port))
    begun = time.monotonic()
    with stage.imap() as talk:
        assert talk.ask("a LOGIN u p") == "a OK login ok"
    assert 0.9 < time.monotonic() - begun < 3
    assert len(stage.auth.requests) == 2


@pytest.mark.parametrize("server", [1, 2, 3])
def test_an_empty_status_is_a_failure_with_a_text(
    stage: Stage, imap_backend: ImapStub, server: int
) -> None:
    where = f"Auth-Server: 127.0.0.1\r\nAuth-Port: {imap_backend.port}\r\n\r\n"
    _answers(stage, b"HTTP/1.0 200 OK\r\nAuth-Status:\r\n" + where.encode())
    lines = (["a LOGIN u p"], ["USER u", "PASS p"], [_AUTH])[server - 1]
    connect = (stage.imap, stage.pop3, stage.smtp)[server - 1]
    talk: Talk = connect(server)
    with talk:
        talk.send(*lines)
        assert talk.rest().splitlines()[-1] in (
            "a NO Invalid login or password",
            "-ERR Invalid login or password",
            "535 5.7.0 Invalid login or password",
        )


def test_an_answer_may_be_longer_than_nginx_reads(stage: Stage, imap_backend: ImapStub) -> None:
    _answers(stage, {"X-More": "x" * 8_000} | _ok(imap_backend.port))
    with stage.imap() as talk:
        assert talk.ask("a LOGIN u p") == "a OK login ok"


@pytest.mark.parametrize("server", ["localhost", "127.0.0.1"])
def test_mail_servers_may_be_named(stage: Stage, imap_backend: ImapStub, server: str) -> None:
    _answers(stage, _ok(imap_backend.port, server))
    with stage.imap() as talk:
        assert talk.ask("a LOGIN u p") == "a OK login ok"


def test_any_number_of_untagged_lines_may_precede_the_answer(
    stage: Stage, imap_backend: ImapStub
) -> None:
    _answers(stage, _ok(imap_backend.port))
    untagged = "* CAPABILITY IMAP4rev1\r\n* OK note\r\n* 3 EXISTS\r\n"

    def script(line: str) -> str:
        return f"{untagged}{line.split()[0]} OK in" if line else "* OK hi"

    imap_backend.script = script
    with stage.imap() as talk:
        got = [talk.ask("a LOGIN u p"), talk.line(), talk.line(), talk.line()]
    assert got[-1] == "a OK in"


def test_a_client_that_leaves_is_not_waited_for(stage: Stage) -> None:
    _answers(stage, None)
    talk = stage.imap()
    talk.send("a LOGIN u p")
    eventually(lambda: stage.auth.requests, "the auth service is asked")
    assert stage.auth._open
    talk.close()
    eventually(lambda: not stage.auth._open, "the question is dropped")


def test_commands_are_counted(stage: Stage) -> None:
    with stage.imap(4) as talk:
        talk.send(*["a NOOP"] * 5)
        assert talk.rest().count("a OK completed\r\n") == 3


def test_a_failed_sender_does_not_outlive_a_new_login(stage: Stage, smtp_backend: SmtpStub) -> None:
    _answers(stage, {"Auth-Status": "No", "Auth-Wait": "1"}, _ok(smtp_backend.port))
    with stage.smtp(3) as talk:
        assert talk.ask("MAIL FROM:<a@b>", "RCPT TO:<c@d>") == "250 2.0.0 OK"
        assert talk.line() == "535 5.7.0 No"
        # with Auth-Wait the sender is kept for another recipient
        assert talk.ask("RCPT TO:<e@f>") == "250 rcpt to ok"
    assert smtp_backend.received()[-2:] == ["MAIL FROM:<a@b>", "RCPT TO:<e@f>"]


def test_an_http_request_ends_the_session(stage: Stage) -> None:
    for port in stage.ports:
        with socket.create_connection(("127.0.0.1", port), 8) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: a LOGIN u p\r\n\r\n")
            received = b""
            while more := _receive(client):
                received += more
            assert received.count(b"\r\n") <= 2, received
    assert stage.auth.requests == []


def _receive(client: socket.socket) -> bytes:
    try:
        return client.recv(4096)
    except ConnectionError:
        return b""


def test_mail_servers_may_be_told_in_binary(stage: Stage, imap_backend: ImapStub) -> None:
    _answers(stage, _ok(imap_backend.port))
    # to a server that reads lines the signature is four of them, and the rest precedes LOGIN
    greeting = iter(["* OK hi"])
    imap_backend.script = lambda line: "a OK" if "LOGIN" in line else next(greeting, None)
    with stage.imap(5) as talk:
        source = talk.socket.getsockname()
        talk.send("a LOGIN u p")
        assert talk.line() == "a OK"
    lines = imap_backend.received()
    assert lines[:4] == ["", "", "\0", "QUIT"]
    header = "\n".join(lines[4:]).encode("latin-1")
    addresses = socket.inet_aton(source[0]) + socket.inet_aton("127.0.0.1")
    assert header.startswith(b"\x21\x11\0")
    assert header[4:12] == addresses
    assert header[12:16] == struct.pack("!HH", source[1], stage.ports[4])


@pytest.mark.parametrize("kind_of_client", [Imap, Smtp])
def test_every_server_block_answers_after_all_this(
    stage: Stage, kind_of_client: type[Talk]
) -> None:
    port = stage.ports[0] if kind_of_client is Imap else stage.ports[2]
    with kind_of_client.greeted(port) as talk:
        assert "OK" in talk.ask("a NOOP" if kind_of_client is Imap else "NOOP")
