"""mail_capability: what is announced. Its TLS servers are in the tests of TLS."""

from collections.abc import Generator

import pytest

from tests.peer.numbered import holds, like, ok
from tests.peer.stage import Stage, staged
from tests.support.talk import Pop3

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    pop3_auth plain apop cram-md5;
    server { listen @1@; protocol imap; imap_capabilities SEE-THIS; }
    server { listen @2@; protocol pop3; }
    server { listen @3@; protocol smtp; server_name mx.example.com; }
"""


@pytest.fixture(scope="module")
def stage(kind: str) -> Generator[Stage, None, None]:
    with staged(kind, _MAIL, lambda _: None) as running:
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


def test_05_to_08_pop3_without_tls(stage: Stage) -> None:
    with stage.pop3(2) as talk:
        lines = _capa(talk)
    holds(6, "USER" in lines, lines)
    holds(7, {"SASL PLAIN LOGIN CRAM-MD5", "SASL LOGIN PLAIN CRAM-MD5"} & set(lines), lines)
    holds(7, not [line for line in lines if "APOP" in line], lines)
    holds(8, "STLS" not in lines, lines)


def test_15_smtp_without_tls(stage: Stage) -> None:
    with stage.smtp(3) as talk:
        holds(15, talk.ask("EHLO example.com") == "250 AUTH PLAIN LOGIN")
