"""mail_imap: every way to log in by IMAP."""

import re
from collections.abc import Generator

import pytest

from tests.peer.numbered import holds, like, ok
from tests.peer.stage import REFUSED, SALT, ZEROS, Stage, credentials, is_external, staged, to
from tests.support.stub_auth import Answer, Request
from tests.support.stub_backends import ImapStub
from tests.support.talk import Imap, b64, plain

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    proxy_pass_error_message off;
    proxy_timeout 15s;
    server { listen @1@; protocol imap; imap_auth plain cram-md5 external; }
"""

_KNOWN = (
    "test@example.com:secret",
    r"te\"st@example.com:se\"cret",
    "capability@example.com:secret",
)
_USER = "test@example.com"


@pytest.fixture(scope="module")
def stage(kind: str, imap_backend: ImapStub) -> Generator[Stage, None, None]:
    def decide(request: Request) -> Answer:
        if credentials(request) in _KNOWN:
            return to(imap_backend)
        if is_external(request) or re.fullmatch(f"{_USER}:{SALT}:{ZEROS}", credentials(request)):
            return to(imap_backend, Auth_Pass="secret")
        return REFUSED

    with staged(kind, _MAIL, decide) as running:
        yield running


def test_01_to_04_login_command(stage: Stage) -> None:
    with Imap(stage.ports[0]) as talk:
        ok(1, talk)
        like(2, talk.ask("a01 LOGIN"), r"^a01 BAD")
        like(3, talk.ask("a02 LOGIN test@example.com bad"), r"^a02 NO")
        talk.send("a03 LOGIN test@example.com secret")
        ok(4, talk)


@pytest.mark.nginx_since("1.27.3")
def test_05_06_untagged_line_before_the_answer(stage: Stage) -> None:
    with stage.imap() as talk:
        like(5, talk.ask("a04 LOGIN capability@example.com secret"), r"^\* CAPABILITY ")
        ok(6, talk)


def test_07_to_09_authenticate_plain(stage: Stage) -> None:
    with stage.imap() as talk:
        like(7, talk.ask("1 AUTHENTICATE"), r"^\S+ BAD")
        like(8, talk.ask(f"1 AUTHENTICATE PLAIN {plain(_USER, 'bad')}"), r"^\S+ NO")
        talk.send(f"1 AUTHENTICATE PLAIN {plain(_USER, 'secret')}")
        ok(9, talk)


def test_10_to_12_authenticate_login(stage: Stage) -> None:
    with stage.imap() as talk:
        like(10, talk.ask("1 AUTHENTICATE LOGIN"), r"\+ VXNlcm5hbWU6")
        like(11, talk.ask(b64(_USER)), r"\+ UGFzc3dvcmQ6")
        talk.send(b64("secret"))
        ok(12, talk)


def test_13_14_authenticate_login_with_the_user(stage: Stage) -> None:
    with stage.imap() as talk:
        like(13, talk.ask(f"1 AUTHENTICATE LOGIN {b64(_USER)}"), r"\+ UGFzc3dvcmQ6")
        talk.send(b64("secret"))
        ok(14, talk)


def test_15_16_authenticate_cram_md5(stage: Stage) -> None:
    with stage.imap() as talk:
        like(15, talk.ask("1 AUTHENTICATE CRAM-MD5"), r"\+ ")
        talk.send(b64(f"{_USER} {ZEROS}"))
        ok(16, talk)


def test_17_18_authenticate_external(stage: Stage) -> None:
    with stage.imap() as talk:
        like(17, talk.ask("1 AUTHENTICATE EXTERNAL"), r"\+ VXNlcm5hbWU6")
        talk.send(b64(_USER))
        ok(18, talk)


def test_19_authenticate_external_with_the_user(stage: Stage) -> None:
    with stage.imap() as talk:
        talk.send(f"1 AUTHENTICATE EXTERNAL {b64(_USER)}")
        ok(19, talk)


def test_20_quoted_strings(stage: Stage) -> None:
    with stage.imap() as talk:
        talk.send(r'a01 LOGIN "te\\\"st@example.com" "se\\\"cret"')
        ok(20, talk)


def test_21_to_23_literals(stage: Stage) -> None:
    with stage.imap() as talk:
        like(21, talk.ask("a01 LOGIN {18}"), r"\+ ")
        like(22, talk.ask(r"te\"st@example.com {8}"), r"\+ ")
        talk.send(r"se\"cret")
        ok(23, talk)


def test_24_literals_that_do_not_wait(stage: Stage) -> None:
    with stage.imap() as talk:
        talk.send("a01 LOGIN {18+}", r"te\"st@example.com {8+}", r"se\"cret")
        ok(24, talk)


def test_25_literal_and_quoted_string(stage: Stage) -> None:
    with stage.imap() as talk:
        talk.send("a01 LOGIN {18+}", r'te\"st@example.com "se\\\"cret"')
        ok(25, talk)


def test_26_27_invalid_command_then_another(stage: Stage) -> None:
    with stage.imap() as talk:
        like(26, talk.ask("a01 INVALID COMMAND WITH ARGUMENTS", "a02 NOOP"), r"^a01 BAD")
        ok(27, talk)


def test_28_29_literal_of_an_unknown_command_is_no_command(stage: Stage) -> None:
    with stage.imap() as talk:
        like(28, talk.ask("a03 FOOBAR {10+}", "test test ", "a04 NOOP"), r"^a03 BAD")
        following = talk.line()
        holds(29, following == "" or following.startswith("a04 "), following)


def test_30_31_pipelined_command_reaches_the_backend(stage: Stage) -> None:
    with stage.imap() as talk:
        talk.send("a01 LOGIN test@example.com secret", "a02 LOGOUT")
        ok(30, talk)
        like(31, talk.line(), r"^a02 OK logout ok$")
