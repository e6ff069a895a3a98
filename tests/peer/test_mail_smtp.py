"""mail_smtp: every way to log in by SMTP, and mail without a login."""

import re
import select
from collections.abc import Generator

import pytest

from tests.peer.numbered import like, ok
from tests.peer.stage import REFUSED, SALT, ZEROS, Stage, credentials, is_external, staged, to
from tests.support.stub_auth import Answer, Request
from tests.support.stub_backends import SmtpStub
from tests.support.talk import Smtp, b64, plain

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    proxy_pass_error_message on;
    proxy_timeout 15s;
    xclient off;
    server { listen @1@; protocol smtp; smtp_auth login plain none cram-md5 external; }
    server { listen @2@; protocol smtp; smtp_auth none; smtp_client_buffer 128; }
"""
_USER = "test@example.com"
_MAIL_FROM = f"MAIL FROM:<{_USER}> SIZE=100"
_RCPT_TO = f"RCPT TO:<{_USER}>"


@pytest.fixture(scope="module")
def stage(kind: str, smtp_backend: SmtpStub) -> Generator[Stage, None, None]:
    def decide(request: Request) -> Answer:
        known = (
            "example.com" in request["Auth-SMTP-To"]
            or credentials(request) == f"{_USER}:secret"
            or re.fullmatch(f"{_USER}:{SALT}:{ZEROS}", credentials(request))
            or is_external(request)
        )
        return to(smtp_backend) if known else REFUSED

    with staged(kind, _MAIL, decide) as running:
        yield running


def test_01_to_08_auth_plain(stage: Stage) -> None:
    with Smtp(stage.ports[0]) as talk:
        like(1, talk.line(), "^220 ")
        like(2, talk.ask("EHLO example.com"), "^250 ")
        like(3, talk.ask(f"AUTH PLAIN {plain(_USER, 'bad')}"), "^5.. ")
        like(4, talk.ask(f"AUTH PLAIN {plain(_USER, 'secret')}"), talk.authenticated)
        talk.send(_MAIL_FROM)
        ok(5, talk)
        talk.send("RSET")
        ok(6, talk)
        talk.send("MAIL FROM:<test@xn--e1afmkfd.xn--80akhbyknj4f> SIZE=100")
        ok(7, talk)
        talk.send("QUIT")
        ok(8, talk)


def test_09_to_11_auth_login(stage: Stage) -> None:
    with stage.smtp() as talk:
        talk.ask("EHLO example.com")
        like(9, talk.ask("AUTH LOGIN"), "^334 VXNlcm5hbWU6")
        like(10, talk.ask(b64(_USER)), "^334 UGFzc3dvcmQ6")
        like(11, talk.ask(b64("secret")), talk.authenticated)


def test_12_13_auth_login_with_the_user(stage: Stage) -> None:
    with stage.smtp() as talk:
        talk.ask("EHLO example.com")
        like(12, talk.ask(f"AUTH LOGIN {b64(_USER)}"), "^334 UGFzc3dvcmQ6")
        like(13, talk.ask(b64("secret")), talk.authenticated)


def test_14_15_auth_cram_md5(stage: Stage) -> None:
    with stage.smtp() as talk:
        talk.ask("EHLO example.com")
        like(14, talk.ask("AUTH CRAM-MD5"), "^334 ")
        like(15, talk.ask(b64(f"{_USER} {ZEROS}")), talk.authenticated)


def test_16_17_auth_external(stage: Stage) -> None:
    with stage.smtp() as talk:
        talk.ask("EHLO example.com")
        like(16, talk.ask("AUTH EXTERNAL"), "^334 VXNlcm5hbWU6")
        talk.send(b64(_USER))
        ok(17, talk)


def test_18_auth_external_with_the_user(stage: Stage) -> None:
    with stage.smtp() as talk:
        talk.ask("EHLO example.com")
        talk.send(f"AUTH EXTERNAL {b64(_USER)}")
        ok(18, talk)


def test_19_invalid_command_then_another(stage: Stage) -> None:
    with stage.smtp() as talk:
        talk.ask("INVALID COMMAND WITH ARGUMENTS", "RSET")
        ok(19, talk)


def test_20_mail_behind_a_login_that_fails(stage: Stage) -> None:
    with stage.smtp() as talk:
        talk.ask("EHLO example.com")
        talk.ask(f"AUTH PLAIN {plain(_USER, 'bad')}", _MAIL_FROM)
        ok(20, talk)


def test_21_mail_behind_a_login_that_succeeds(stage: Stage) -> None:
    with stage.smtp() as talk:
        talk.ask("EHLO example.com")
        talk.ask(f"AUTH PLAIN {plain(_USER, 'secret')}", _MAIL_FROM)
        ok(21, talk)


def test_22_to_24_mail_without_a_login(stage: Stage) -> None:
    with stage.smtp() as talk:
        talk.ask("EHLO example.com")
        talk.send(_MAIL_FROM)
        ok(22, talk)
        talk.send(_RCPT_TO)
        ok(23, talk)
        talk.send("RSET")
        ok(24, talk)


def test_25_to_27_mail_without_a_login_in_one_write(stage: Stage) -> None:
    with stage.smtp() as talk:
        talk.ask("EHLO example.com")
        talk.send(_MAIL_FROM, _RCPT_TO, "RSET")
        ok(25, talk)
        ok(26, talk)
        ok(27, talk)


def test_28_to_30_incomplete_command_is_finished_at_the_backend(stage: Stage) -> None:
    with stage.smtp() as talk:
        talk.ask("EHLO example.com")
        talk.write(f"{_MAIL_FROM}\r\n{_RCPT_TO}\r\nRS")
        ok(28, talk)
        ok(29, talk)
        talk.write("ET\r\n")
        ok(30, talk)


def test_31_to_36_pipeline_longer_than_the_buffer(stage: Stage) -> None:
    with stage.smtp(2) as talk:
        talk.ask("EHLO example.com")
        talk.send(_MAIL_FROM, *[_RCPT_TO] * 4, "RSET")
        ok(31, talk)
        ok(32, talk)
        ok(33, talk)
        ok(34, talk)
        ok(35, talk)
        ok(36, talk)


def test_37_38_refused_recipient_then_another(stage: Stage) -> None:
    with stage.smtp() as talk:
        talk.ask("EHLO example.com")
        talk.ask(_MAIL_FROM)
        like(37, talk.ask("RCPT TO:<example.com>"), "^5.. ")
        talk.send(_RCPT_TO)
        ok(38, talk)


def test_39_to_41_commands_in_two_pieces(stage: Stage) -> None:
    with stage.smtp() as talk:
        _in_two_pieces(talk, "HEL", "O example.com\r\n")
        ok(39, talk)
        _in_two_pieces(talk, "FOO B", "AR\r\n")
        like(40, talk.line(), "^5.. ")
        talk.send("HELO example.com")
        ok(41, talk)


def _in_two_pieces(talk: Smtp, first: str, second: str) -> None:
    talk.write(first)
    # there is no answer to wait for; the proxy must have seen the first piece alone
    assert not select.select([talk.socket], [], [], 0.1)[0]
    talk.write(second)
