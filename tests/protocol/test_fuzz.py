"""Nothing anybody sends makes the machine raise, or say what it must never say.

``FUZZ_EXAMPLES`` raises the number of examples (normally small).
"""

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxycore.contract.authhttp import (
    AuthFailed,
    AuthFault,
    AuthOk,
    AuthWait,
    read_reply_headers,
)
from proxycore.contract.protocol import Protocol
from proxycore.contract.reasons import CloseReason
from proxycore.dialogue import commands, events
from proxycore.dialogue.profile import Profile
from proxycore.dialogue.session import Session
from proxycore.dialogue.states import State
from proxycore.wire.sasl import encode_base64
from tests.support.sessions import FACTS, profile

thorough = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "150")),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

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
    st.builds(AuthFailed, text=_IN_LOGINS, wait_s=st.integers(0, 3), login=_MAYBE),
    st.builds(AuthWait, wait_s=st.integers(-1, 400), login=_MAYBE),
    st.just(AuthFault(CloseReason.AUTH_TIMEOUT, "timed out")),
    st.lists(st.binary(max_size=30), max_size=4).map(read_reply_headers),
)

_EVENTS = st.one_of(
    st.builds(events.FrontBytes, _FRONT),
    st.builds(events.FrontBytes, _FRONT),
    st.builds(events.AuthAnswered, _VERDICTS),
    st.just(events.BackConnected()),
    st.builds(events.BackBytes, _BACK),
    st.builds(events.BackBytes, _BACK),
    st.just(events.TimerFired()),
    st.just(events.BackClosed()),
    st.just(events.BackFailed(CloseReason.BACKEND_REFUSED)),
    st.just(events.FrontClosed()),
)

_UNTIMED = {State.NEW, State.AUTHORISING, State.RELAYING, State.CLOSED}


class Watched:
    """A session, and what must hold of it whatever happens."""

    def __init__(self, chosen: Profile) -> None:
        self.session = Session(chosen, FACTS)
        self._is_timed = False

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
        elif isinstance(command, commands.AskAuth):
            octets = command.request.login + command.request.password
            assert not set(octets) & set(b"\r\n\0")
            assert is_last
        elif isinstance(command, commands.ConnectBack | commands.Close | commands.Relay):
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


def _sent(done: list[commands.Command]) -> bytes:
    return b"".join(command.data for command in done if isinstance(command, commands.SendFront))


def _others(done: list[commands.Command]) -> list[commands.Command]:
    return [command for command in done if not isinstance(command, commands.SendFront)]
