"""mail_pop3: every way to log in by POP3."""

import re
from collections.abc import Generator

import pytest

from tests.peer.numbered import holds, like, ok
from tests.peer.stage import REFUSED, SALT, ZEROS, Stage, credentials, is_external, staged, to
from tests.support.stub_auth import Answer, Request
from tests.support.stub_backends import Pop3Stub
from tests.support.talk import Pop3, b64, plain

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    proxy_pass_error_message on;
    proxy_timeout 15s;
    server { listen @1@; protocol pop3; pop3_auth plain apop cram-md5 external; }
"""
_USER = "test@example.com"


@pytest.fixture(scope="module")
def stage(kind: str, pop3_backend: Pop3Stub) -> Generator[Stage, None, None]:
    def decide(request: Request) -> Answer:
        if credentials(request) == f"{_USER}:secret":
            return to(pop3_backend)
        if is_external(request) or re.fullmatch(f"{_USER}:{SALT}:{ZEROS}", credentials(request)):
            return to(pop3_backend, Auth_Pass="secret")
        return REFUSED

    with staged(kind, _MAIL, decide) as running:
        yield running


def test_01_to_03_user_and_pass(stage: Stage) -> None:
    with Pop3(stage.ports[0]) as talk:
        ok(1, talk)
        talk.send(f"USER {_USER}")
        ok(2, talk)
        talk.send("PASS secret")
        ok(3, talk)


def test_04_to_06_apop(stage: Stage) -> None:
    with Pop3(stage.ports[0]) as talk:
        like(4, talk.line(), SALT)
        like(5, talk.ask(f"APOP {_USER} {'1' * 32}"), "^-ERR")
        talk.send(f"APOP {_USER} {ZEROS}")
        ok(6, talk)


def test_07_08_auth_lists_the_mechanisms(stage: Stage) -> None:
    with stage.pop3() as talk:
        talk.send("AUTH")
        ok(7, talk)
        lines = [talk.line() for _ in range(5)]
        holds(8, lines == ["PLAIN", "LOGIN", "CRAM-MD5", "EXTERNAL", "."], lines)


def test_09_10_auth_plain(stage: Stage) -> None:
    with stage.pop3() as talk:
        like(9, talk.ask(f"AUTH PLAIN {plain(_USER, 'bad')}"), "^-ERR")
        talk.send(f"AUTH PLAIN {plain(_USER, 'secret')}")
        ok(10, talk)


def test_11_to_13_auth_login(stage: Stage) -> None:
    with stage.pop3() as talk:
        like(11, talk.ask("AUTH LOGIN"), r"\+ VXNlcm5hbWU6")
        like(12, talk.ask(b64(_USER)), r"\+ UGFzc3dvcmQ6")
        talk.send(b64("secret"))
        ok(13, talk)


def test_14_15_auth_login_with_the_user(stage: Stage) -> None:
    with stage.pop3() as talk:
        like(14, talk.ask(f"AUTH LOGIN {b64(_USER)}"), r"\+ UGFzc3dvcmQ6")
        talk.send(b64("secret"))
        ok(15, talk)


def test_16_17_auth_cram_md5(stage: Stage) -> None:
    with stage.pop3() as talk:
        like(16, talk.ask("AUTH CRAM-MD5"), r"\+ ")
        talk.send(b64(f"{_USER} {ZEROS}"))
        ok(17, talk)


def test_18_19_auth_external(stage: Stage) -> None:
    with stage.pop3() as talk:
        like(18, talk.ask("AUTH EXTERNAL"), r"\+ VXNlcm5hbWU6")
        talk.send(b64(_USER))
        ok(19, talk)


def test_20_auth_external_with_the_user(stage: Stage) -> None:
    with stage.pop3() as talk:
        talk.send(f"AUTH EXTERNAL {b64(_USER)}")
        ok(20, talk)


def test_21_22_invalid_command_then_another(stage: Stage) -> None:
    with stage.pop3() as talk:
        like(21, talk.ask("INVALID COMMAND WITH ARGUMENTS", "NOOP"), "^-ERR")
        ok(22, talk)


def test_23_to_25_pipelined_login(stage: Stage) -> None:
    with stage.pop3() as talk:
        talk.send(f"USER {_USER}", "PASS secret", "QUIT")
        ok(23, talk)
        ok(24, talk)
        like(25, talk.line(), r"^\+OK quit ok$")


def test_26_to_28_pipelined_auth_login(stage: Stage) -> None:
    with stage.pop3() as talk:
        like(26, talk.ask("AUTH LOGIN", b64(_USER), b64("secret")), r"\+ VXNlcm5hbWU6")
        like(27, talk.line(), r"\+ UGFzc3dvcmQ6")
        ok(28, talk)
