"""mail_capability: what is announced."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.peer.numbered import holds, like, ok, unlike
from tests.peer.stage import Stage, staged
from tests.support.talk import Pop3

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    pop3_auth plain apop cram-md5;
    ssl_certificate @CRT@;
    ssl_certificate_key @KEY@;
    server { listen @1@; protocol imap; imap_capabilities SEE-THIS; }
    server { listen @2@; protocol pop3; }
    server { listen @3@; protocol smtp; server_name mx.example.com; }
    server { listen @4@; protocol imap; starttls on; }
    server { listen @5@; protocol imap; starttls only; }
    server { listen @6@; protocol pop3; starttls on; }
    server { listen @7@; protocol pop3; starttls only; }
    server { listen @8@; protocol smtp; starttls on; }
    server { listen @9@; protocol smtp; starttls only; }
"""


@pytest.fixture(scope="module")
def stage(kind: str, certificate: dict[str, Path]) -> Generator[Stage, None, None]:
    with staged(kind, _MAIL, lambda _: None, words=certificate) as running:
        yield running


def _capa(talk: Pop3) -> list[str]:
    talk.send("CAPA")
    ok(5, talk)
    lines = []
    while (line := talk.line()) not in (".", ""):
        lines.append(line)
    return lines


def test_01_02_imap(stage: Stage) -> None:
    with stage.imap() as talk:
        like(1, talk.ask("1 CAPABILITY"), r"^\* CAPABILITY SEE-THIS AUTH=PLAIN")
        ok(2, talk)


def test_03_imap_with_starttls(stage: Stage) -> None:
    wanted = r"^\* CAPABILITY IMAP4 IMAP4rev1 UIDPLUS AUTH=PLAIN STARTTLS"
    with stage.imap(4) as talk:
        like(3, talk.ask("1 CAPABILITY"), wanted)


def test_04_imap_with_starttls_only(stage: Stage) -> None:
    wanted = r"^\* CAPABILITY IMAP4 IMAP4rev1 UIDPLUS STARTTLS LOGINDISABLED"
    with stage.imap(5) as talk:
        line = talk.ask("1 CAPABILITY")
    like(4, line, wanted)
    unlike(4, line, "AUTH=")


def test_05_to_08_pop3_without_tls(stage: Stage) -> None:
    with stage.pop3(2) as talk:
        lines = _capa(talk)
    holds(6, "USER" in lines, lines)
    holds(7, {"SASL PLAIN LOGIN CRAM-MD5", "SASL LOGIN PLAIN CRAM-MD5"} & set(lines), lines)
    holds(7, not [line for line in lines if "APOP" in line], lines)
    holds(8, "STLS" not in lines, lines)


def test_09_to_11_pop3_with_starttls(stage: Stage) -> None:
    with stage.pop3(6) as talk:
        lines = _capa(talk)
    holds(9, "USER" in lines, lines)
    holds(10, {"SASL PLAIN LOGIN CRAM-MD5", "SASL LOGIN PLAIN CRAM-MD5"} & set(lines), lines)
    holds(11, "STLS" in lines, lines)


def test_12_to_14_pop3_with_starttls_only(stage: Stage) -> None:
    with stage.pop3(7) as talk:
        lines = _capa(talk)
    holds(12, "USER" not in lines, lines)
    holds(13, not [line for line in lines if line.startswith("SASL")], lines)
    holds(14, "STLS" in lines, lines)


def test_15_smtp_without_tls(stage: Stage) -> None:
    with stage.smtp(3) as talk:
        holds(15, talk.ask("EHLO example.com") == "250 AUTH PLAIN LOGIN")


def test_16_smtp_with_starttls(stage: Stage) -> None:
    with stage.smtp(8) as talk:
        like(16, talk.ask("EHLO example.com"), "^250 STARTTLS")


def test_17_smtp_with_starttls_only(stage: Stage) -> None:
    with stage.smtp(9) as talk:
        like(17, talk.ask("EHLO example.com"), "^250 STARTTLS")
