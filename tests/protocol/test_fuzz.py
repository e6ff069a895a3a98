"""Nothing anybody sends makes the machine raise, or say what it must never say.

``FUZZ_EXAMPLES`` raises the number of inputs to each front and each back (normally small; `make
fuzz` gives 100,000 to each).
"""

import os
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxycore.contract.authhttp import (
    AuthFailed,
    AuthFault,
    AuthOk,
    AuthThrottled,
    AuthWait,
    read_reply_headers,
)
from proxycore.contract.protocol import Protocol
from proxycore.contract.reasons import CloseReason
from proxycore.dialogue import commands, events
from proxycore.dialogue.profile import Profile
from proxycore.dialogue.session import Session
from proxycore.dialogue.states import State
from proxycore.wire.sasl import encode_base64, oauthbearer, xoauth2
from tests.support.sessions import FACTS, profile

thorough = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "150")),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

_ALL = ("plain", "login", "cram-md5", "external", "xoauth2", "oauthbearer")

PROFILES = [
    profile(protocol, **more)
    for more in (
        {},
        {
            "imap_client_buffer_bytes": 128,
            "pop3_client_buffer_bytes": 128,
            "smtp_client_buffer_bytes": 128,
            "proxy_buffer_bytes": 512,
            "proxy_pass_error_message": True,
            "proxy_smtp_auth": True,
            "smtp_greeting_delay_ms": 1000,
            "max_errors": 99,
        },
        {
            "imap_auth": _ALL,
            "pop3_auth": (*_ALL, "apop"),
            "smtp_auth": (*_ALL, "none"),
            "proxy_smtp_auth": True,
            "proxy_issue_imap_id": True,
            "xclient_legacy": True,
            "max_errors": 99,
            "max_commands": 9,
        },
    )
    for protocol in Protocol
]

_IN_LOGINS = st.binary(max_size=12)

_FRONT_WORDS = st.one_of(
    st.sampled_from(
        [
            *[b"a1", b" ", b"  ", b"\r\n", b"\n", b"\r", b"\0", b'"', b"\\", b"{3}", b"{3+}"],
            *[b"LOGIN", b"AUTHENTICATE", b"AUTH", b"PLAIN", b"LOGOUT", b"NOOP", b"CAPABILITY"],
            *[b"USER", b"PASS", b"QUIT", b"CAPA", b"EHLO", b"HELO", b"MAIL", b"RCPT", b"joe", b"="],
            *[b"a1 LOGIN joe secret\r\n", b"USER joe\r\n", b"PASS secret\r\n", b"+}", b"x" * 130],
            *[b"AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n", b"a1 LOGIN {3+}\r\njoe {0+}\r\n\r\n"],
            *[b"AUTH CRAM-MD5\r\n", b"a1 AUTHENTICATE CRAM-MD5\r\n", b"AUTH EXTERNAL am9l\r\n"],
            *[encode_base64(b"joe " + b"0" * 32) + b"\r\n", b"APOP joe 0\r\n", b"AQ==\r\n"],
            *[b"AUTH XOAUTH2 " + xoauth2(b"joe", b"t") + b"\r\n", b"a1 ID NIL\r\n"],
            *[b"a1 AUTHENTICATE OAUTHBEARER " + oauthbearer(b"joe", b"t") + b"\r\n"],
            *[b'a1 ID ("name" "x")\r\n', b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<c@d>\r\n", b"RSET\r\n"],
        ]
    ),
    st.builds(
        lambda login, password: (
            b"AUTH PLAIN %b\r\n" % encode_base64(b"\0%b\0%b" % (login, password))
        ),
        _IN_LOGINS,
        _IN_LOGINS,
    ),
    st.builds(lambda value: b"a1 LOGIN joe {%d+}\r\n%b\r\n" % (len(value), value), _IN_LOGINS),
    st.binary(max_size=30),
)
_FRONT = st.lists(_FRONT_WORDS, max_size=8).map(b"".join)

_BACK_WORDS = st.one_of(
    st.sampled_from(
        [
            *[b"* OK hi\r\n", b"a1 OK in\r\n", b"a1 NO out\r\n", b"* BYE\r\n", b"+ more\r\n"],
            *[b"+OK\r\n", b"-ERR\r\n", b"220 hi\r\n", b"250 ok\r\n", b"250-ok\r\n", b"235 ok\r\n"],
            *[b"334 \r\n", b"250-AUTH LOGIN XOAUTH2\r\n", b"250 AUTH NTLM\r\n", b"ia1 OK\r\n"],
            *[b"* OK [CAPABILITY SASL-IR IDLE] hi\r\n", b"+ \r\n", b"ia1 BAD\r\n"],
            *[b"* CAPABILITY IMAP4 STARTTLS\r\n", b"ca1 OK\r\n", b"sa1 OK\r\n", b"STLS\r\n.\r\n"],
            *[b"250-STARTTLS\r\n", b"250 STARTTLS\r\n"],
            *[b"550 no\r\n", b"* CAPABILITY IMAP4\r\n", b"\n", b"\0", b"y" * 600],
        ]
    ),
    st.binary(max_size=30),
)
_BACK = st.lists(_BACK_WORDS, max_size=4).map(b"".join)

_MAYBE = st.none() | _IN_LOGINS
_VERDICTS = st.one_of(
    st.builds(AuthOk, server=st.just("192.0.2.9"), port=st.just(1), login=_MAYBE, password=_MAYBE),
    st.just(AuthOk(server="192.0.2.9", port=1)),
    st.builds(
        AuthOk,
        server=st.just("unix:/x"),
        port=st.just(0),
        password=st.just(b"x"),
        master=_IN_LOGINS,
        proxy_auth=st.sampled_from([None, True, False]),
        proxy_ssl=st.sampled_from([None, "off", "on", "starttls"]),
    ),
    st.just(AuthFailed(text=b"no", error_sasl=b"e30=")),
    st.just(AuthFailed(text=b"no", error_sasl=b"e30=", wait_s=1)),
    st.builds(AuthFailed, text=_IN_LOGINS, wait_s=st.integers(0, 3), login=_MAYBE),
    st.builds(AuthWait, wait_s=st.integers(-1, 400), login=_MAYBE),
    st.just(AuthFault(CloseReason.AUTH_TIMEOUT, "timed out")),
    st.just(AuthThrottled("mail_login_ip_max 5")),
    st.lists(st.binary(max_size=30), max_size=4).map(read_reply_headers),
)

_EVENTS = st.one_of(
    st.builds(events.FrontBytes, _FRONT),
    st.builds(events.FrontBytes, _FRONT),
    st.builds(events.AuthAnswered, _VERDICTS),
    st.just(events.BackConnected()),
    st.just(events.BackSecured()),
    st.builds(events.BackBytes, _BACK),
    st.builds(events.BackBytes, _BACK),
    st.just(events.TimerFired()),
    st.just(events.BackClosed()),
    st.just(events.BackFailed(CloseReason.BACKEND_REFUSED)),
    st.just(events.FrontClosed()),
)

_BEFORE_TLS = {b"CAPABILITY", b"STARTTLS", b"CAPA", b"STLS", b"mx.example.com"}
_UNTIMED = {State.NEW, State.AUTHORISING, State.RELAYING, State.CLOSED}


class Watched:
    """A session, and what must hold of it whatever happens."""

    def __init__(self, chosen: Profile) -> None:
        self.session = Session(chosen, FACTS)
        self._is_timed = False
        self._in_clear = False

    def tell(self, event: events.Event) -> None:
        if isinstance(event, events.TimerFired):
            if not self._is_timed:
                return
            self._is_timed = False
        before = self.session.state
        done = list(self.session.handle(event))
        for i, command in enumerate(done):
            self._check(command, is_last=i == len(done) - 1)
        assert before is not State.CLOSED or not done
        if self.session.state is not State.CLOSED:
            assert self._is_timed == (self.session.state not in _UNTIMED)

    def _check(self, command: commands.Command, *, is_last: bool) -> None:
        if isinstance(command, commands.SendBack):
            # exactly one command, whatever was in the credentials
            assert command.data.endswith(b"\r\n")
            assert command.data.count(b"\n") == command.data.count(b"\r") == 1
            assert b"\0" not in command.data
            # what is said in clear to a mail server that has to begin TLS first
            assert not self._in_clear or command.data.split()[-1] in _BEFORE_TLS
        elif isinstance(command, commands.AskAuth):
            request = command.request
            octets = request.login + request.password + request.smtp_from + request.smtp_to
            assert not set(octets) & set(b"\r\n\0")
            assert is_last
        elif isinstance(command, commands.ConnectBack):
            assert is_last
            self._in_clear = command.proxy_ssl == "starttls"
        elif isinstance(command, commands.SecureBack):
            assert is_last
            self._in_clear = False
        elif isinstance(command, commands.Close | commands.Relay):
            assert is_last
        elif isinstance(command, commands.SetTimer):
            assert command.after_ms > 0
            self._is_timed = True
        elif isinstance(command, commands.CancelTimer):
            self._is_timed = False
        elif isinstance(command, commands.Note):
            assert "\n" not in command.message


@thorough
@given(st.sampled_from(PROFILES), st.lists(_EVENTS, max_size=12))
def test_any_events_in_any_order(chosen: Profile, happening: list[events.Event]) -> None:
    watched = Watched(chosen)
    for event in [events.Accepted(), *happening]:
        watched.tell(event)


@thorough
@given(st.sampled_from(PROFILES), _FRONT, st.lists(st.integers(1, 20), min_size=1, max_size=20))
def test_cutting_changes_nothing(chosen: Profile, said: bytes, sizes: list[int]) -> None:
    whole, cut = Session(chosen, FACTS), Session(chosen, FACTS)
    for session in (whole, cut):
        session.handle(events.Accepted())
        if session.state is State.DELAYING:
            session.handle(events.TimerFired())
    done = list(whole.handle(events.FrontBytes(said)))
    in_pieces: list[commands.Command] = []
    rest, i = said, 0
    while rest:
        size = sizes[i % len(sizes)]
        in_pieces += cut.handle(events.FrontBytes(rest[:size]))
        rest, i = rest[size:], i + 1
    assert _sent(done) == _sent(in_pieces)
    assert _others(done) == _others(in_pieces)
    assert whole.state is cut.state


# --- one leg at a time, many times ---------------------------------------------------------------

_LEGS = [chosen for chosen in PROFILES if chosen.greeting_delay is None]
_NAMES = [f"{chosen.protocol}-{i // len(Protocol)}" for i, chosen in enumerate(_LEGS)]
_MOST_HELD_BYTES = 200_000


@pytest.mark.parametrize("chosen", _LEGS, ids=_NAMES)
def test_a_front_takes_anything_in_bounded_memory(chosen: Profile) -> None:
    @thorough
    @given(st.lists(_FRONT, min_size=1, max_size=6))
    def go(said: list[bytes]) -> None:
        watched = Watched(chosen)
        watched.tell(events.Accepted())
        for octets in said:
            watched.tell(events.FrontBytes(octets))
            watched.tell(events.AuthAnswered(AuthFailed(text=b"no", wait_s=1, error_sasl=b"e30=")))
            watched.tell(events.TimerFired())
        assert _held_bytes(watched.session) < _MOST_HELD_BYTES

    go()


@pytest.mark.parametrize("chosen", _LEGS, ids=_NAMES)
def test_a_back_takes_anything_in_bounded_memory(chosen: Profile) -> None:
    login = {
        Protocol.IMAP: [b"a1 LOGIN joe secret\r\n", b'a0 ID ("a" "b")\r\na1 LOGIN joe secret\r\n'],
        Protocol.POP3: [b"USER joe\r\nPASS secret\r\n", b"AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n"],
        Protocol.SMTP: [b"EHLO cl\r\nAUTH PLAIN AGpvZQBzZWNyZXQ=\r\n"],
    }[chosen.protocol]

    @thorough
    @given(
        st.sampled_from(login),
        st.sampled_from([b"", b"root"]),
        st.lists(_BACK, min_size=1, max_size=6),
        st.none() | st.integers(0, 6),
    )
    def go(said: bytes, master: bytes, answers: list[bytes], secured: int | None) -> None:
        watched = Watched(chosen)
        verdict = AuthOk(server="192.0.2.9", port=1, password=b"pw", master=master)
        verdict.proxy_ssl = "starttls" if secured is not None else None
        heard: list[events.Event] = [events.BackBytes(octets) for octets in answers]
        if secured is not None:
            heard.insert(secured, events.BackSecured())
        for event in (
            *(events.Accepted(), events.FrontBytes(said), events.AuthAnswered(verdict)),
            *(events.BackConnected(), *heard),
        ):
            watched.tell(event)
        assert _held_bytes(watched.session) < _MOST_HELD_BYTES

    go()


def _held_bytes(session: Session) -> int:
    """Measure what a session holds, down to the buffers of its legs."""
    held, pending, seen = 0, [session], set()
    while pending:
        thing: object = pending.pop()
        if id(thing) in seen or isinstance(thing, Profile | type | State):
            continue
        seen.add(id(thing))
        held += sys.getsizeof(thing)
        for kind in type(thing).__mro__:
            names = getattr(kind, "__slots__", ())
            pending += [getattr(thing, name, None) for name in names]
        if isinstance(thing, list | tuple):
            pending += thing
    return held


def _sent(done: list[commands.Command]) -> bytes:
    return b"".join(command.data for command in done if isinstance(command, commands.SendFront))


def _others(done: list[commands.Command]) -> list[commands.Command]:
    return [command for command in done if not isinstance(command, commands.SendFront)]
