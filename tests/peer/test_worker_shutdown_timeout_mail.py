"""worker_shutdown_timeout_mail: a reload cuts what runs longer than that."""

from collections.abc import Generator

import pytest

from tests.peer.numbered import holds, like
from tests.peer.stage import Stage, staged, to
from tests.support.stub_backends import SmtpStub
from tests.support.talk import Smtp, plain

_MAIN = """
worker_shutdown_timeout 10ms;
error_log @DIR@/logs/error.log info;
"""
_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    xclient off;
    proxy_timeout 15s;
    server { listen @1@; protocol smtp; smtp_auth login plain; }
"""


@pytest.fixture(scope="module")
def stage(kind: str, smtp_backend: SmtpStub) -> Generator[Stage, None, None]:
    with staged(kind, _MAIL, lambda _: to(smtp_backend), main=_MAIN) as running:
        yield running


def test_01_to_04_a_reload_ends_a_relay(stage: Stage) -> None:
    with Smtp(stage.ports[0], within_s=3) as talk:
        like(1, talk.line(), "^220 ")
        like(2, talk.ask("EHLO example.com"), "^250 ")
        like(3, talk.ask(f"AUTH PLAIN {plain('test@example.com', 'secret')}"), talk.authenticated)
        stage.proxy.reload()
        holds(4, talk.rest() == "", "the relay ended")
