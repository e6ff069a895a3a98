"""What a client sees of a mail server that says no, with and without proxy_pass_error_message."""

from collections.abc import Generator

import pytest

from tests.peer.stage import Stage, by_protocol, staged
from tests.support.stub_backends import ImapStub, Pop3Stub, SmtpStub
from tests.support.talk import Talk, plain

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    proxy_timeout 15s;
    timeout 500ms;
    server_name mx.example.com;
    proxy_smtp_auth on;
    server { listen @1@; protocol imap; }
    server { listen @2@; protocol pop3; }
    server { listen @3@; protocol smtp; smtp_auth plain; }
    server { listen @4@; protocol imap; proxy_pass_error_message on; }
    server { listen @5@; protocol pop3; proxy_pass_error_message on; }
    server { listen @6@; protocol smtp; smtp_auth plain; proxy_pass_error_message on; }
"""
_IMAP_FAULT = "* BAD internal server error\r\n"
_POP3_FAULT = "-ERR internal server error\r\n"
_SMTP_FAULT = "451 4.3.2 Internal server error\r\n"

Said = dict[str, str]
"""What the mail server says to a command that begins so; "" is its greeting."""


@pytest.fixture(scope="module")
def stage(
    kind: str, imap_backend: ImapStub, pop3_backend: Pop3Stub, smtp_backend: SmtpStub
) -> Generator[Stage, None, None]:
    decide = by_protocol(imap=imap_backend, pop3=pop3_backend, smtp=smtp_backend)
    with staged(kind, _MAIL, decide) as running:
        yield running


def _script(said: Said, line: str) -> str | None:
    if line == "":
        return said[""]
    return next((reply for begin, reply in said.items() if begin and line.startswith(begin)), None)


def _all(talk: Talk, *lines: str) -> str:
    """Log in, and give all the proxy says until it closes."""
    with talk:
        talk.send(*lines)
        return talk.rest()


_IMAP_LOGIN = {"": "* OK hi", "a LOGIN": "+ go"}


@pytest.mark.parametrize(
    ("said", "passed"),
    [
        ({"": "* BYE too busy"}, "* BYE too busy\r\n"),
        ({"": "* NO hi"}, "* NO hi\r\n"),
        ({"": "* OK hi", "a LOGIN": "a NO not here"}, "a NO not here\r\n"),
        (_IMAP_LOGIN | {"u\xe9 {2}": "a BAD what"}, "a BAD what\r\n"),
        (
            _IMAP_LOGIN | {"u\xe9 {2}": "+ go", "p\xe9": "a NO wrong password"},
            "a NO wrong password\r\n",
        ),
        (_IMAP_LOGIN | {"u\xe9 {2}": "+ go", "p\xe9": "* BYE away"}, "* BYE away\r\n"),
    ],
)
@pytest.mark.parametrize("passing", [False, True], ids=["off", "on"])
def test_imap(stage: Stage, imap_backend: ImapStub, said: Said, passed: str, passing: bool) -> None:
    imap_backend.clear()
    imap_backend.literals = False
    imap_backend.script = lambda line: _script(said, line)
    try:
        # octets that make every proxy send literals
        answer = _all(stage.imap(4 if passing else 1), 'a LOGIN "u\xe9" "p\xe9"')
    finally:
        imap_backend.literals = True
    assert answer == (passed if passing else _IMAP_FAULT)


@pytest.mark.parametrize(
    ("said", "passed"),
    [
        ({"": "-ERR too busy"}, "-ERR too busy\r\n"),
        ({"": "nonsense"}, "nonsense\r\n"),
        ({"": "+OK", "USER": "-ERR not here"}, "-ERR not here\r\n"),
        ({"": "+OK", "USER": "+OK", "PASS": "-ERR wrong"}, "-ERR wrong\r\n"),
    ],
)
@pytest.mark.parametrize("passing", [False, True], ids=["off", "on"])
def test_pop3(stage: Stage, pop3_backend: Pop3Stub, said: Said, passed: str, passing: bool) -> None:
    pop3_backend.clear()
    pop3_backend.script = lambda line: _script(said, line)
    with stage.pop3(5 if passing else 2) as talk:
        assert talk.ask("USER u") == "+OK"
        talk.send("PASS p")
        assert talk.rest() == (passed if passing else _POP3_FAULT)


_SMTP_OK = {"": "220 hi", "EHLO": "250 hello", "XCLIENT": "220 hi", "AUTH": "235 in"}


@pytest.mark.parametrize(
    ("said", "passed"),
    [
        ({"": "554 go away"}, "554 go away\r\n"),
        ({"": "554-go\r\n554 away"}, "554-go\r\n554 away\r\n"),
        ({"": "220 hi", "EHLO": "502 no"}, "502 no\r\n"),
        (_SMTP_OK | {"XCLIENT": "550 no"}, "550 no\r\n"),
        (_SMTP_OK | {"AUTH": "535 5.7.8 wrong"}, "535 5.7.8 wrong\r\n"),
        (
            _SMTP_OK | {"AUTH": "535-5.7.8 wrong\r\n535 5.7.8 really"},
            "535-5.7.8 wrong\r\n535 5.7.8 really\r\n",
        ),
    ],
)
@pytest.mark.parametrize("passing", [False, True], ids=["off", "on"])
def test_smtp(stage: Stage, smtp_backend: SmtpStub, said: Said, passed: str, passing: bool) -> None:
    smtp_backend.clear()
    smtp_backend.script = lambda line: _script(said, line)
    answer = _all(stage.smtp(6 if passing else 3), f"AUTH PLAIN {plain('u', 'p')}")
    assert answer == (passed if passing else _SMTP_FAULT)


@pytest.mark.parametrize(
    "reply", ["235 in", "235-in\r\n235-and\r\n235 in"], ids=["one line", "three lines"]
)
def test_smtp_clients_see_the_same_welcome_from_every_server(
    stage: Stage, smtp_backend: SmtpStub, reply: str
) -> None:
    smtp_backend.clear()
    smtp_backend.script = lambda line: _script(_SMTP_OK | {"AUTH": reply, "NOOP": "250 yes"}, line)
    with stage.smtp(3) as talk:
        assert talk.ask(f"AUTH PLAIN {plain('u', 'p')}") == "235 2.0.0 OK"
        assert talk.ask("NOOP") == "250 yes"


@pytest.mark.parametrize("server", [1, 2, 3])
def test_a_mail_server_that_says_nothing_is_a_fault_after_the_timeout(
    stage: Stage,
    imap_backend: ImapStub,
    pop3_backend: Pop3Stub,
    smtp_backend: SmtpStub,
    server: int,
) -> None:
    backend = (imap_backend, pop3_backend, smtp_backend)[server - 1]
    backend.clear()
    backend.script = lambda _: None
    lines, fault = (
        (["a LOGIN u p"], _IMAP_FAULT),
        (["USER u", "PASS p"], "+OK\r\n" + _POP3_FAULT),
        ([f"AUTH PLAIN {plain('u', 'p')}"], _SMTP_FAULT),
    )[server - 1]
    talk = (stage.imap, stage.pop3, stage.smtp)[server - 1](server)
    assert _all(talk, *lines) == fault
    assert stage.proxy.log_contains("upstream timed out (110: Connection timed out) while")


@pytest.mark.parametrize("server", [1, 2, 3])
def test_a_mail_server_that_talks_without_end_is_a_fault(
    stage: Stage,
    imap_backend: ImapStub,
    pop3_backend: Pop3Stub,
    smtp_backend: SmtpStub,
    server: int,
) -> None:
    backend = (imap_backend, pop3_backend, smtp_backend)[server - 1]
    backend.clear()
    backend.script = lambda _: "* OK +OK " + "x" * 300_000
    talk = (stage.imap, stage.pop3, stage.smtp)[server - 1](server)
    lines, fault = (
        (["a LOGIN u p"], _IMAP_FAULT),
        (["USER u", "PASS p"], "+OK\r\n" + _POP3_FAULT),
        ([f"AUTH PLAIN {plain('u', 'p')}"], _SMTP_FAULT),
    )[server - 1]
    assert _all(talk, *lines) == fault
