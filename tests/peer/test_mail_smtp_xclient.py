"""mail_smtp_xclient: what the mail server is told before the client is connected to it."""

from collections.abc import Generator

import pytest

from tests.peer.numbered import holds, like
from tests.peer.stage import Stage, staged, to
from tests.support.stub_backends import SmtpStub
from tests.support.talk import plain

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    proxy_pass_error_message on;
    proxy_timeout 15s;
    xclient on;
    server_name mx.example.com;
    server { listen @1@; protocol smtp; smtp_auth login plain none; }
"""
_AUTH = f"AUTH PLAIN {plain('test@example.com', 'secret')}"
_MAIL_FROM, _RCPT_TO = "MAIL FROM:<test@example.com> SIZE=100", "RCPT TO:<test@example.com>"


@pytest.fixture(scope="module")
def stage(kind: str, smtp_backend: SmtpStub) -> Generator[Stage, None, None]:
    with staged(kind, _MAIL, lambda _: to(smtp_backend)) as running:
        yield running


@pytest.mark.parametrize(
    ("number", "hello", "verbs"),
    [
        (1, "", ["EHLO", "XCLIENT"]),
        (2, "HELO example.com", ["EHLO", "XCLIENT", "HELO"]),
        (3, "EHLO example.com", ["EHLO", "XCLIENT", "EHLO"]),
    ],
)
def test_01_to_03_with_a_login(
    stage: Stage, smtp_backend: SmtpStub, number: int, hello: str, verbs: list[str]
) -> None:
    with stage.smtp() as talk:
        if hello:
            talk.ask(hello)
        like(number, talk.ask(_AUTH), talk.authenticated)
    _is_sequence(number, smtp_backend, verbs)


@pytest.mark.parametrize(
    ("number", "hello", "verbs"),
    [
        (4, "", ["EHLO", "XCLIENT", "MAIL", "RCPT"]),
        (5, "HELO example.com", ["EHLO", "XCLIENT", "HELO", "MAIL", "RCPT"]),
        (6, "EHLO example.com", ["EHLO", "XCLIENT", "EHLO", "MAIL", "RCPT"]),
    ],
)
def test_04_to_06_without_a_login(
    stage: Stage, smtp_backend: SmtpStub, number: int, hello: str, verbs: list[str]
) -> None:
    with stage.smtp() as talk:
        if hello:
            talk.ask(hello)
        talk.ask(_MAIL_FROM)
        like(number, talk.ask(_RCPT_TO), talk.ok)
    _is_sequence(number, smtp_backend, verbs)


def _is_sequence(number: int, backend: SmtpStub, verbs: list[str]) -> None:
    received = backend.received()
    holds(number, [line.partition(" ")[0] for line in received] == verbs, received)
