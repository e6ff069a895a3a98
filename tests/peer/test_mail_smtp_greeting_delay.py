"""mail_smtp_greeting_delay: who talks before the greeting is turned away."""

from collections.abc import Generator

import pytest

from tests.peer.numbered import closed, like
from tests.peer.stage import Stage, staged
from tests.support.talk import Smtp

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    server { listen @1@; protocol smtp; smtp_greeting_delay 1s; }
"""


@pytest.fixture(scope="module")
def stage(kind: str) -> Generator[Stage, None, None]:
    with staged(kind, _MAIL, lambda _: None) as running:
        yield running


def test_01_02_early_talker(stage: Stage) -> None:
    with Smtp(stage.ports[0]) as talk:
        like(1, talk.ask("HELO example.com"), "^5.. ")
        closed(2, talk)
