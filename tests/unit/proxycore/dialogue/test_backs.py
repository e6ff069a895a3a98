"""Commands to mail servers: no login, name or address can make them say more than they should."""

import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.contract.protocol import Protocol
from proxycore.contract.reasons import CloseReason
from proxycore.dialogue.back_imap import ImapBack
from proxycore.dialogue.back_pop3 import Pop3Back
from proxycore.dialogue.back_smtp import SmtpBack, introduction, legacy_xclient, xclient
from proxycore.dialogue.legs import Back
from proxycore.dialogue.steps import LoggedIn, Refused
from proxycore.wire import xtext
from proxycore.wire.imap import quote
from tests.support.sessions import FACTS, credential, profile

_XCLIENT = re.compile(rb"XCLIENT ADDR=([^ =]+)(?: LOGIN=([^ =]+))? NAME=([^ =]+)\r\n")
_LEGACY = re.compile(
    rb"XCLIENT PROTO=ESMTP(?: HELO=([^ =]+))? ADDR=192\.0\.2\.1(?: LOGIN=([^ =]+))?"
    rb" NAME=([^ =]+)\r\n"
)

sendable = st.binary(max_size=20).map(lambda value: value.translate(None, b"\r\n\0"))


@given(st.binary(max_size=30), st.text(max_size=30))
def test_xclient_has_the_attributes_it_should_and_no_others(login: bytes, host: str) -> None:
    found = _XCLIENT.fullmatch(xclient("2001:db8::1", login, host))
    assert found is not None
    assert found[1] == b"IPV6:2001:db8::1"
    assert xtext.decode(found[2] or b"") == login
    assert xtext.decode(found[3]) == (host.encode("ascii", "replace") or b"[UNAVAILABLE]")


@given(st.binary(max_size=30), st.binary(max_size=30), st.text(max_size=30))
def test_the_old_xclient_has_the_attributes_it_should_and_no_others(
    login: bytes, helo: bytes, host: str
) -> None:
    facts = SimpleNamespace(client_ip="192.0.2.1", client_host=host)
    found = _LEGACY.fullmatch(legacy_xclient(facts, (b"EHLO", helo), login))
    assert found is not None
    assert xtext.decode(found[1] or b"") == helo
    assert xtext.decode(found[2] or b"") == login
    assert xtext.decode(found[3]) == (host.encode("ascii", "replace") or b"[UNAVAILABLE]")


def _converse(back: Back, *said: bytes) -> tuple[bytes, object]:
    """Give what the back sent, and its last step."""
    sent, step = b"", None
    for octets in said:
        back.inbox.feed(octets)
        while (step := back.read()) is not None:
            if not isinstance(step, bytes):
                return sent, step
            sent += step
    return sent, step


@given(sendable, sendable)
def test_an_imap_server_reads_what_was_submitted(login: bytes, password: bytes) -> None:
    asked_for = b"+\r\n" * [quote(login), quote(password)].count(None)
    back = ImapBack(4096, b"a1", credential(login, password), b"", frozenset())
    sent, step = _converse(back, b"* OK hi\r\n" + asked_for + b"a1 OK in\r\n")
    assert isinstance(step, LoggedIn)
    assert _read_login(sent) == [login, password]


def _read_login(sent: bytes) -> list[bytes]:
    """Read a LOGIN as a mail server would; not with our own parser, which is to be judged."""
    rest, values = sent.removeprefix(b"a1 LOGIN"), []
    while rest != b"\r\n":
        if found := re.match(rb' "((?:[^"\\]|\\.)*)"', rest):
            values.append(re.sub(rb"\\(.)", rb"\1", found[1]))
            rest = rest[found.end() :]
        else:
            found = re.match(rb" \{(\d+)\}\r\n", rest)
            assert found is not None
            end = found.end() + int(found[1])
            values.append(rest[found.end() : end])
            rest = rest[end:]
    return values


@given(sendable, sendable)
def test_a_pop3_server_hears_two_commands(login: bytes, password: bytes) -> None:
    sent, step = _converse(Pop3Back(4096, credential(login, password)), b"+OK\r\n" * 3)
    assert isinstance(step, LoggedIn)
    assert sent == b"USER %b\r\nPASS %b\r\n" % (login, password)


@given(sendable, sendable)
def test_an_smtp_server_hears_one_command_per_line(login: bytes, password: bytes) -> None:
    settings = profile(Protocol.SMTP, proxy_smtp_auth=True)
    known = credential(login, password, authenticates=True)
    script = introduction(settings, FACTS, (b"EHLO", b"client"), known)
    sent, step = _converse(
        SmtpBack(4096, script, known, []), b"220 hi\r\n250 ok\r\n250 ok\r\n250 ok\r\n235 ok\r\n"
    )
    assert isinstance(step, LoggedIn)
    verbs = [line.split(b" ")[0] for line in sent.split(b"\r\n")]
    assert verbs == [b"EHLO", b"XCLIENT", b"EHLO", b"AUTH", b""]


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [
        (b"* BYE no\r\n", CloseReason.BACKEND_REJECTED),
        (b"* PREAUTH\r\n", CloseReason.BACKEND_INVALID),
        (b"* OKAY\r\n", CloseReason.BACKEND_INVALID),
        (b"\r\n", CloseReason.BACKEND_INVALID),
        (b"x" * 600, CloseReason.BACKEND_INVALID),
    ],
)
def test_a_login_is_not_sent_to_whoever_greets_wrongly(
    greeting: bytes, reason: CloseReason
) -> None:
    back = ImapBack(512, b"a1", credential(b"joe", b"secret"), b"", frozenset())
    sent, step = _converse(back, greeting)
    assert sent == b""
    assert isinstance(step, Refused)
    assert step.reason is reason
