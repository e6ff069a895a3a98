"""What a log line says a login at the mail server was doing when nobody answered."""

from collections.abc import Generator

import pytest

from tests.peer.stage import Stage, by_protocol, staged
from tests.support.stub_backends import ImapStub, Pop3Stub, SmtpStub
from tests.support.talk import plain
from tests.support.wait import eventually

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    timeout 300ms;
    server_name mx.example.com;
    server { listen @1@; protocol imap; }
    server { listen @2@; protocol pop3; }
    server { listen @3@; protocol smtp; smtp_auth plain; proxy_smtp_auth on; }
    server { listen @4@; protocol smtp; smtp_auth none; xclient off; }
"""
_PROTOCOLS = ("imap", "pop3", "smtp", "smtp")
_LITERALS = {"": "* OK hi", "a LOGIN": "+ go"}
_SMTP = {"": "220 hi", "EHLO mx": "250 ok"}
_XCLIENT = _SMTP | {"XCLIENT": "220 ok", "EHLO cl": "250 ok"}
_PLAIN = f"AUTH PLAIN {plain('u', 'p')}"
_ENVELOPE = ("EHLO cl", "MAIL FROM:<>", "RCPT TO:<u>")

Said = dict[str, str]
"""What the mail server says to a command that begins so; to all others, nothing."""


@pytest.fixture(scope="module")
def stage(
    kind: str, imap_backend: ImapStub, pop3_backend: Pop3Stub, smtp_backend: SmtpStub
) -> Generator[Stage, None, None]:
    decide = by_protocol(imap=imap_backend, pop3=pop3_backend, smtp=smtp_backend)
    with staged(kind, _MAIL, decide) as running:
        yield running


@pytest.mark.parametrize(
    ("server", "said", "says", "doing"),
    [
        (1, {}, ["a LOGIN u p"], "connecting to upstream"),
        (1, {"": "* OK hi"}, ["a LOGIN \xe9 p\xe9"], "sending LOGIN command to upstream"),
        (1, _LITERALS, ["a LOGIN \xe9 p\xe9"], "sending user name to upstream"),
        (1, _LITERALS | {"\xe9": "+ go"}, ["a LOGIN \xe9 p\xe9"], "sending password to upstream"),
        (2, {}, ["USER u", "PASS p"], "connecting to upstream"),
        (2, {"": "+OK"}, ["USER u", "PASS p"], "sending user name to upstream"),
        (2, {"": "+OK", "USER": "+OK"}, ["USER u", "PASS p"], "sending password to upstream"),
        (3, {}, [_PLAIN], "connecting to upstream"),
        (3, {"": "220 hi"}, ["EHLO cl", _PLAIN], "sending HELO/EHLO to upstream"),
        (3, _SMTP, ["EHLO cl", _PLAIN], "sending XCLIENT to upstream"),
        (3, _SMTP | {"XCL": "220 ok"}, ["EHLO cl", _PLAIN], "sending client HELO/EHLO to upstream"),
        (3, _XCLIENT, ["EHLO cl", _PLAIN], "sending AUTH to upstream"),
        (4, _SMTP, [*_ENVELOPE], "sending MAIL FROM to upstream"),
        (4, _SMTP | {"MAIL": "250 ok"}, [*_ENVELOPE], "sending RCPT TO to upstream"),
    ],
)
def test_a_time_out_says_what_was_waited_for(
    stage: Stage,
    imap_backend: ImapStub,
    pop3_backend: Pop3Stub,
    smtp_backend: SmtpStub,
    server: int,
    said: Said,
    says: list[str],
    doing: str,
) -> None:
    backend = (imap_backend, pop3_backend, smtp_backend, smtp_backend)[server - 1]
    backend.clear()
    imap_backend.literals = False
    backend.script = lambda line: next(
        (
            reply
            for begin, reply in said.items()
            if line.startswith(begin) and bool(line) == bool(begin)
        ),
        None,
    )
    stage.proxy.mark_log()
    talk = (stage.imap, stage.pop3, stage.smtp, stage.smtp)[server - 1](server)
    with talk:
        talk.send(*says)
        assert "nternal server error" in talk.rest()
    wanted = f"upstream timed out (110: Connection timed out) while {doing}, client: "
    eventually(lambda: wanted in stage.proxy.new_log(), wanted)


@pytest.mark.parametrize("server", [1, 2, 3])
def test_an_answer_that_is_wrong_was_being_read(
    stage: Stage,
    imap_backend: ImapStub,
    pop3_backend: Pop3Stub,
    smtp_backend: SmtpStub,
    server: int,
) -> None:
    backend = (imap_backend, pop3_backend, smtp_backend)[server - 1]
    backend.clear()
    backend.script = lambda _: "what?"
    stage.proxy.mark_log()
    talk = (stage.imap, stage.pop3, stage.smtp)[server - 1](server)
    with talk:
        talk.send(*(["a LOGIN u p"], ["USER u", "PASS p"], [_PLAIN])[server - 1])
        assert "nternal server error" in talk.rest()
    wanted = 'upstream sent invalid response: "what?" while reading response from upstream, client'
    eventually(lambda: wanted in stage.proxy.new_log(), wanted)
