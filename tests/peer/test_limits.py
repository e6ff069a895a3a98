"""Limits of length and of time before login."""

import select
import time
from collections.abc import Generator

import pytest

from tests.peer.stage import Stage, staged
from tests.support.stub_auth import Request
from tests.support.talk import Imap, Pop3, Smtp, Talk

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    auth_http_timeout 400ms;
    imap_client_buffer 1k;
    smtp_client_buffer 1k;
    server { listen @1@; protocol imap; }
    server { listen @2@; protocol pop3; }
    server { listen @3@; protocol smtp; smtp_auth plain; }
    server { listen @4@; protocol imap; timeout 500ms; }
    server { listen @5@; protocol pop3; timeout 500ms; }
    server { listen @6@; protocol smtp; smtp_auth plain; timeout 500ms; }
"""
_ALL = pytest.mark.parametrize("server", [1, 2, 3])
_INVALID = {
    1: r"* BAD invalid command",
    2: "-ERR invalid command",
    3: "500 5.5.1 Invalid command",
}


@pytest.fixture(scope="module")
def stage(kind: str) -> Generator[Stage, None, None]:
    with staged(kind, _MAIL, lambda _: None) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_answer(stage: Stage) -> None:
    stage.auth.clear()
    stage.auth.decide = lambda _: None


def _talk(stage: Stage, server: int) -> Talk:
    kind = (Imap, Pop3, Smtp)[(server - 1) % 3]
    return kind.greeted(stage.ports[server - 1])


@_ALL
def test_a_line_without_an_end_is_refused_and_ends_the_session(stage: Stage, server: int) -> None:
    with _talk(stage, server) as talk:
        talk.write("x" * 100_000)
        rest = talk.rest()
    # a reset may have overtaken the answer: octets of ours were still unread
    assert rest in ("", f"{_INVALID[server]}\r\n")
    assert stage.proxy.log_contains("client sent too long command")


@pytest.mark.parametrize(("server", "size"), [(1, 1024), (3, 1024)])
def test_a_line_may_fill_the_buffer(stage: Stage, server: int, size: int) -> None:
    with _talk(stage, server) as talk:
        tag = "a " if server == 1 else ""
        line = f"{tag}NOOP "
        assert "OK" in talk.ask(line + " " * (size - len(line) - 2))
        talk.write(line + " " * (size - len(line)))
        assert talk.rest() == ("a BAD invalid command\r\n" if tag else f"{_INVALID[3]}\r\n")


@_ALL
def test_lines_of_many_pieces_are_understood(stage: Stage, server: int) -> None:
    with _talk(stage, server) as talk:
        for octet in "a NOOP\r\n" if server == 1 else "NOOP\r\n":
            talk.write(octet)
        assert "OK" in talk.line()


@pytest.mark.ours("nginx's buffer is full after twenty")
@_ALL
def test_a_thousand_pipelined_commands_are_answered(stage: Stage, server: int) -> None:
    with _talk(stage, server) as talk:
        talk.send(*["a NOOP" if server == 1 else "NOOP"] * 1000)
        assert all("OK" in talk.line() for _ in range(1000))


@pytest.mark.parametrize("server", [4, 5, 6])
def test_the_time_to_log_in_is_counted_in_all(stage: Stage, server: int) -> None:
    with _talk(stage, server) as talk:
        begun = time.monotonic()
        rest = ""
        while time.monotonic() - begun < 5:
            # activity does not prolong it
            try:
                talk.send("a NOOP" if server == 4 else "NOOP")
                rest = talk.line()
            except OSError:
                rest = ""
            if not rest or select.select([talk.socket], [], [], 0.1)[0]:
                break
        rest = talk.rest()
        assert rest == ""
        assert 0.4 < time.monotonic() - begun < 2.5
    assert stage.proxy.log_contains("client timed out (110: Connection timed out)")


@_ALL
def test_an_auth_service_that_says_nothing_is_a_fault(stage: Stage, server: int) -> None:
    begun = time.monotonic()
    lines, fault = {
        1: (["a LOGIN u p"], "* BAD internal server error\r\n"),
        2: (["USER u", "PASS p"], "+OK\r\n-ERR internal server error\r\n"),
        3: (["AUTH PLAIN AHUAcA=="], "451 4.3.2 Internal server error\r\n"),
    }[server]
    with _talk(stage, server) as talk:
        talk.send(*lines)
        assert talk.rest() == fault
    assert 0.3 < time.monotonic() - begun < 3
    assert stage.proxy.log_contains("timed out")


@_ALL
def test_an_auth_service_that_says_too_much_is_a_fault(stage: Stage, server: int) -> None:
    stage.auth.decide = lambda _: b"HTTP/1.0 200 OK\r\nX: " + b"x" * 200_000
    with _talk(stage, server) as talk:
        talk.send(
            *{1: ["a LOGIN u p"], 2: ["USER u", "PASS p"], 3: ["AUTH PLAIN AHUAcA=="]}[server]
        )
        assert "nternal server error" in talk.rest()


def test_the_time_to_log_in_begins_again_after_a_failure(stage: Stage) -> None:
    def decide(_: Request) -> dict[str, str]:
        return {"Auth-Status": "No", "Auth-Wait": "1"}

    stage.auth.decide = decide
    with _talk(stage, 4) as talk:
        assert talk.ask("a LOGIN u p") == "a NO No"
        begun = time.monotonic()
        assert talk.rest() == ""
        assert time.monotonic() - begun > 0.3


@pytest.mark.ours("nginx drops octets of a literal {0}")
def test_an_empty_literal_is_empty(stage: Stage) -> None:
    stage.auth.decide = lambda _: {"Auth-Status": "No"}
    with _talk(stage, 1) as talk:
        assert talk.ask("a LOGIN u {0}") == "+ OK"
        assert talk.ask("") == "a NO No"
    assert stage.auth.requests[0]["Auth-Pass"] == ""


@pytest.mark.ours("in nginx an open quote goes on in the next line")
def test_an_open_quote_ends_with_its_line(stage: Stage) -> None:
    with _talk(stage, 1) as talk:
        assert talk.ask('a LOGIN "u') == "a BAD invalid command"
        assert talk.ask("b NOOP") == "b OK completed"


@pytest.mark.ours("nginx answers without a tag, or with a stale one")
def test_answers_carry_the_tag_of_their_command(stage: Stage) -> None:
    stage.auth.decide = lambda _: {"Auth-Status": "No", "Auth-Wait": "1"}
    with _talk(stage, 1) as talk:
        talk.ask("a AUTHENTICATE LOGIN")
        assert talk.ask("!!!") == "a BAD invalid command"
        assert talk.ask("b LOGIN u p") == "b NO No"
        assert talk.ask("+") == "* BAD invalid command"
