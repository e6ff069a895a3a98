"""mail_proxy_smtp_auth: logging in at the mail server by AUTH."""

from collections.abc import Generator

import pytest

from tests.peer.numbered import holds, like
from tests.peer.stage import Stage, staged, to
from tests.support.stub_backends import SmtpStub
from tests.support.talk import b64, plain

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    proxy_pass_error_message on;
    proxy_timeout 15s;
    proxy_smtp_auth on;
    smtp_auth login plain external;
    server_name mx.example.com;
    server { listen @1@; protocol smtp; }
    server { listen @2@; protocol smtp; xclient off; }
"""
_USER = "test@example.com"
_AUTH = f"AUTH PLAIN {plain(_USER, 'secret')}"


@pytest.fixture(scope="module")
def stage(kind: str, smtp_backend: SmtpStub) -> Generator[Stage, None, None]:
    with staged(kind, _MAIL, lambda _: to(smtp_backend)) as running:
        yield running


@pytest.mark.parametrize(
    ("number", "server", "hello", "verbs"),
    [
        (1, 1, "", ["EHLO", "XCLIENT", "AUTH"]),
        (2, 1, "HELO example.com", ["EHLO", "XCLIENT", "HELO", "AUTH"]),
        (3, 1, "EHLO example.com", ["EHLO", "XCLIENT", "EHLO", "AUTH"]),
        (4, 2, "", ["HELO", "AUTH"]),
        (5, 2, "EHLO example.com", ["EHLO", "AUTH"]),
    ],
)
def test_01_to_05_sequence_at_the_backend(
    stage: Stage, smtp_backend: SmtpStub, number: int, server: int, hello: str, verbs: list[str]
) -> None:
    with stage.smtp(server) as talk:
        if hello:
            talk.ask(hello)
        like(number, talk.ask(_AUTH), talk.authenticated)
    received = smtp_backend.received()
    holds(number, [line.partition(" ")[0] for line in received] == verbs, received)


def test_06_07_external_has_no_password(stage: Stage) -> None:
    with stage.smtp() as talk:
        like(6, talk.ask("AUTH EXTERNAL"), "^334 VXNlcm5hbWU6")
        like(7, talk.ask(b64(_USER)), "^4.. ")
