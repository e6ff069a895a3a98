"""mail_max_errors: the connection ends at the last invalid command."""

from collections.abc import Generator

import pytest

from tests.peer.numbered import closed, like
from tests.peer.stage import Stage, staged

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    max_errors 2;
    server { listen @1@; protocol imap; }
    server { listen @2@; protocol pop3; }
    server { listen @3@; protocol smtp; }
"""


@pytest.fixture(scope="module")
def stage(kind: str) -> Generator[Stage, None, None]:
    with staged(kind, _MAIL, lambda _: None) as running:
        yield running


def test_01_to_03_imap_one_by_one(stage: Stage) -> None:
    with stage.imap() as talk:
        like(1, talk.ask("a01 FOO"), "^a01 BAD")
        like(2, talk.ask("a02 BAR"), "^a02 BAD")
        talk.send("a03 BAZZ")
        closed(3, talk)


def test_04_to_06_imap_in_one_write(stage: Stage) -> None:
    with stage.imap() as talk:
        like(4, talk.ask("a01 FOO", "a02 BAR", "a03 BAZZ"), "^a01 BAD")
        like(5, talk.line(), "^a02 BAD")
        closed(6, talk)


def test_07_to_09_pop3_one_by_one(stage: Stage) -> None:
    with stage.pop3(2) as talk:
        like(7, talk.ask("FOO"), "^-ERR")
        like(8, talk.ask("BAR"), "^-ERR")
        talk.send("BAZZ")
        closed(9, talk)


def test_10_to_12_pop3_in_one_write(stage: Stage) -> None:
    with stage.pop3(2) as talk:
        like(10, talk.ask("FOO", "BAR", "BAZZ"), "^-ERR")
        like(11, talk.line(), "^-ERR")
        closed(12, talk)


def test_13_to_15_smtp_one_by_one(stage: Stage) -> None:
    with stage.smtp(3) as talk:
        like(13, talk.ask("FOO"), "^5.. ")
        like(14, talk.ask("BAR"), "^5.. ")
        talk.send("BAZZ")
        closed(15, talk)


def test_16_to_18_smtp_in_one_write(stage: Stage) -> None:
    with stage.smtp(3) as talk:
        like(16, talk.ask("FOO", "BAR", "BAZZ"), "^5.. ")
        like(17, talk.line(), "^5.. ")
        closed(18, talk)
