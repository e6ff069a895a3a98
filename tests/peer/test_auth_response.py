"""What the proxy makes of an auth service's answer, and what the client then sees (POP3)."""

import time
from collections.abc import Generator

import pytest

from tests.peer.stage import Stage, staged
from tests.support.stub_auth import Answer, Request
from tests.support.stub_backends import Pop3Stub
from tests.support.talk import Pop3

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    auth_http_timeout 1s;
    server { listen @1@; protocol pop3; }
"""
_STATUS = b"HTTP/1.0 200 OK\r\n"
_LOGGED_IN = "+OK in"
_FAULT = "-ERR internal server error"


@pytest.fixture(scope="module")
def stage(kind: str, pop3_backend: Pop3Stub) -> Generator[Stage, None, None]:
    with staged(kind, _MAIL, lambda _: None) as running:
        yield running


@pytest.fixture
def backend(stage: Stage, pop3_backend: Pop3Stub) -> Pop3Stub:
    pop3_backend.clear()
    stage.auth.clear()
    pop3_backend.script = lambda line: _LOGGED_IN if line.startswith("PASS") else "+OK"
    return pop3_backend


def _login(stage: Stage) -> tuple[str, Pop3]:
    """Log in as u with p; gives the answer, and the connection."""
    talk = stage.pop3()
    talk.ask("USER u")
    return talk.ask("PASS p"), talk


def _answer(text: str, backend: Pop3Stub) -> bytes:
    """Complete a row of the tables below."""
    text = text.replace("@OK@", "Auth-Status: OK\n@TO@").replace("@PORT@", str(backend.port))
    text = text.replace("@TO@", f"Auth-Server: 127.0.0.1\nAuth-Port: {backend.port}")
    return text.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n"


@pytest.mark.parametrize(
    "text",
    [
        "@OK@",
        "@TO@",
        "auth-status: OK\nAUTH-SERVER:127.0.0.1\nauth-port:   @PORT@   ",
        "foo\n@OK@",
        "@OK@\nAuth-Wait: 5",
        "X-Unknown: value\n@OK@",
        "Auth-Port: 1\n@OK@",
    ],
)
def test_answers_that_log_in(stage: Stage, backend: Pop3Stub, text: str) -> None:
    stage.auth.decide = lambda _: _STATUS + _answer(text, backend)
    begun = time.monotonic()
    answer, talk = _login(stage)
    talk.close()
    assert answer == _LOGGED_IN
    assert time.monotonic() - begun < 3  # and Auth-Wait does not delay it
    assert backend.received() == ["USER u", "PASS p"]


@pytest.mark.parametrize(
    "status", [b"", b"HTTP/1.0 500 Oops\r\n", b"HTTP/1.1 200\r\n", b"HTTP/nonsense\r\n"]
)
def test_the_status_line_is_not_looked_at(stage: Stage, backend: Pop3Stub, status: bytes) -> None:
    stage.auth.decide = lambda _: status + _answer("@OK@", backend)
    answer, talk = _login(stage)
    talk.close()
    assert answer == _LOGGED_IN


def test_lines_may_end_with_lf_alone(stage: Stage, backend: Pop3Stub) -> None:
    whole = (_STATUS + _answer("@OK@", backend)).replace(b"\r\n", b"\n")
    stage.auth.decide = lambda _: whole
    answer, talk = _login(stage)
    talk.close()
    assert answer == _LOGGED_IN


def test_the_answer_may_come_in_any_pieces(stage: Stage, backend: Pop3Stub) -> None:
    whole = _STATUS + _answer("@OK@", backend)
    stage.auth.decide = lambda _: [whole[i : i + 1] for i in range(len(whole))]
    answer, talk = _login(stage)
    talk.close()
    assert answer == _LOGGED_IN


def test_a_body_is_not_read(stage: Stage, backend: Pop3Stub) -> None:
    stage.auth.decide = lambda _: _STATUS + _answer("@OK@", backend) + b"Auth-Status: no\n" * 300
    answer, talk = _login(stage)
    talk.close()
    assert answer == _LOGGED_IN


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Auth-Status: ok\n@TO@", "-ERR ok"),
        ("Auth-Status: No\nAuth-Status: OK\n@TO@", "-ERR No"),
        ("Auth-Status:   Invalid   login   ", "-ERR Invalid   login"),
        ("Auth-Status: no\nAuth-Wait: soon", "-ERR no"),
        ("Auth-Status: no\nAuth-Wait: 0", "-ERR no"),
        ("Auth-Status: no\nAuth-Error-Code: 454 4.7.0", "-ERR no"),
        ("Auth-Status: OK \n@TO@", _LOGGED_IN),
        ("Auth-Status: OKAY\n@TO@", "-ERR OKAY"),
        ("Auth-Status: wait\nAuth-Wait: 0", "-ERR wait"),
    ],
)
def test_failures_end_the_session_at_once(
    stage: Stage, backend: Pop3Stub, text: str, shown: str
) -> None:
    stage.auth.decide = lambda _: _STATUS + _answer(text, backend)
    answer, talk = _login(stage)
    with talk:
        assert answer == shown
        assert shown == _LOGGED_IN or talk.rest() == ""


@pytest.mark.parametrize(
    "text",
    [
        "Auth-Status: OK\nAuth-Server: 127.0.0.1",
        "Auth-Status: OK\nAuth-Port: @PORT@",
        "Auth-Status: OK",
        "Auth-Status: OK\nAuth-Server: 127.0.0.1\nAuth-Port: 0",
        "Auth-Status: OK\nAuth-Server: 127.0.0.1\nAuth-Port: 11x",
        "Auth-Status: OK\nAuth-Server: 127.0.0.1\nAuth-Port: 65536",
        "Auth-Status: OK\nAuth-Server: 127.0.0.1:@PORT@\nAuth-Port: @PORT@",
        "Auth_Status: OK\n@OK@",
        "@OK@\n folded",
        "foo : x\n@OK@",
        "-foo: x\n@OK@",
    ],
)
def test_faults_of_the_auth_service(stage: Stage, backend: Pop3Stub, text: str) -> None:
    stage.auth.decide = lambda _: _STATUS + _answer(text, backend)
    answer, talk = _login(stage)
    with talk:
        assert answer == _FAULT
        assert talk.rest() == ""
    assert backend.received() == []


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.0 200 OK\r\nAuth-Status: OK\r\n", b"HTTP/\rx"])
def test_an_answer_that_ends_too_early_is_a_fault(
    stage: Stage, backend: Pop3Stub, answer: bytes
) -> None:
    stage.auth.decide = lambda _: answer
    shown, talk = _login(stage)
    with talk:
        assert shown == _FAULT
        assert talk.rest() == ""


def test_a_mail_server_that_refuses_is_a_fault(stage: Stage, backend: Pop3Stub) -> None:
    stage.auth.decide = lambda _: {
        "Auth-Status": "OK",
        "Auth-Server": "127.0.0.1",
        "Auth-Port": "1",
    }
    answer, talk = _login(stage)
    with talk:
        assert answer == _FAULT
        assert talk.rest() == ""


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("@OK@\nAuth-User: new user\nAuth-Pass: new%20pass", ["USER new user", "PASS new%20pass"]),
        ("@OK@\nAuth-User: new", ["USER new", "PASS p"]),
        ("@OK@\nAuth-Pass: new", ["USER u", "PASS new"]),
        ("@OK@\nAuth-User:\nAuth-Pass:", ["USER ", "PASS "]),
    ],
)
def test_login_and_password_are_replaced(
    stage: Stage, backend: Pop3Stub, text: str, sent: list[str]
) -> None:
    stage.auth.decide = lambda _: _STATUS + _answer(text, backend)
    answer, talk = _login(stage)
    talk.close()
    assert answer == _LOGGED_IN
    assert backend.received() == sent


def test_a_wait_asks_again_with_the_same_attempt(stage: Stage, backend: Pop3Stub) -> None:
    def decide(_: Request) -> Answer:
        if len(stage.auth.requests) == 1:
            return _STATUS + _answer("Auth-Status: WAIT\nAuth-Wait: 1", backend)
        return _STATUS + _answer("@OK@", backend)

    stage.auth.decide = decide
    begun = time.monotonic()
    answer, talk = _login(stage)
    talk.close()
    assert answer == _LOGGED_IN
    assert 0.9 < time.monotonic() - begun < 3
    first, second = stage.auth.requests
    assert first.raw == second.raw
    assert first["Auth-Login-Attempt"] == "1"


def test_a_name_given_with_a_wait_is_asked_about_next(stage: Stage, backend: Pop3Stub) -> None:
    def decide(_: Request) -> Answer:
        if len(stage.auth.requests) == 1:
            text = "Auth-Status: WAIT\nAuth-Wait: 1\nAuth-User: renamed"
            return _STATUS + _answer(text, backend)
        return _STATUS + _answer("@OK@", backend)

    stage.auth.decide = decide
    answer, talk = _login(stage)
    talk.close()
    assert answer == _LOGGED_IN
    assert stage.auth.requests[1]["Auth-User"] == "renamed"
    assert backend.received()[0] == "USER renamed"


def test_a_failure_with_auth_wait_is_told_late_and_the_session_goes_on(
    stage: Stage, backend: Pop3Stub
) -> None:
    def decide(_: Request) -> Answer:
        if len(stage.auth.requests) == 1:
            return _STATUS + _answer("Auth-Status: Not now\nAuth-Wait: 1", backend)
        return _STATUS + _answer("@OK@", backend)

    stage.auth.decide = decide
    begun = time.monotonic()
    with stage.pop3() as talk:
        # what is sent meanwhile is answered afterwards, in order
        talk.ask("USER u")
        talk.send("PASS p", "NOOP", "USER u", "PASS p")
        assert talk.line() == "-ERR Not now"
        assert 0.9 < time.monotonic() - begun < 3
        assert [talk.line() for _ in range(3)] == ["+OK", "+OK", _LOGGED_IN]
    assert [request["Auth-Login-Attempt"] for request in stage.auth.requests] == ["1", "2"]


@pytest.mark.theirs("ours takes names, too: test_product.py")
@pytest.mark.parametrize("server", ["localhost", "[::1]", "unix:/nowhere"])
def test_nginx_takes_bare_addresses_only(stage: Stage, backend: Pop3Stub, server: str) -> None:
    fields = {"Auth-Status": "OK", "Auth-Server": server, "Auth-Port": str(backend.port)}
    stage.auth.decide = lambda _: fields
    answer, talk = _login(stage)
    talk.close()
    assert answer == _FAULT
