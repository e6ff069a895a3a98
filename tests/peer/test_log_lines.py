"""Whatever a peer says, a log has one event per line, and nothing in it moves a cursor."""

import re
from collections.abc import Generator

import pytest

from tests.peer.stage import Stage, staged
from tests.support.talk import b64, plain
from tests.support.wait import eventually

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    timeout 5s;
    server { listen @1@; protocol imap; }
    server { listen @2@; protocol pop3; }
    server { listen @3@; protocol smtp; smtp_auth plain login; }
"""
_EVENT = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[[a-z]+\] \d+#\d+: \S")
_EVIL = (
    "\x1b[2J\x1b]0;owned\x07",
    "u\v2026/11/22 00:00:00 [info] 1#0: *1 client logged in",
    "\x85\x0c\x1c\x1d\x1e",
    "\u202edrow\u2066".encode().decode("latin-1"),
    "\u2028\u2029\ufeff".encode().decode("latin-1"),
    "\x7f\x9b31m\xff",
    '", upstream: 192.0.2.66:25',
)


@pytest.fixture(scope="module")
def stage(kind: str) -> Generator[Stage, None, None]:
    with staged(kind, _MAIL, lambda _: {"Auth-Status": "No"}) as running:
        yield running


@pytest.mark.ours("nginx writes logins as they are")
@pytest.mark.parametrize("evil", _EVIL, ids=ascii)
def test_one_event_is_one_line_of_printable_text(stage: Stage, evil: str) -> None:
    stage.proxy.mark_log()
    with stage.imap() as talk:
        talk.send(f"a AUTHENTICATE PLAIN {plain(evil, 'p')}")
        talk.rest()
    with stage.pop3(2) as talk:
        talk.send(f"USER {evil}", "PASS p")
        talk.rest()
    with stage.smtp(3) as talk:
        talk.send(f"EHLO {evil}", f"MAIL FROM:<{evil}>", f"AUTH LOGIN {b64(evil)}", b64("p"))
        talk.rest()
    eventually(lambda: stage.proxy.new_log().count("client login failed") == 3, "three refusals")
    text = stage.proxy.new_log()
    for line in text.split("\n")[:-1]:
        assert _EVENT.match(line), line
        assert line.isprintable(), ascii(line)
    assert len(text.splitlines()) == text.count("\n")
