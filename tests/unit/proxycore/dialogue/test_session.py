"""The spine, where a transcript would not show it."""

import gc
import pickle

import pytest

from proxycore.contract.authhttp import AuthFailed, AuthOk
from proxycore.contract.protocol import Protocol
from proxycore.dialogue.commands import AskAuth, Command, Relay, SendBack, SendFront
from proxycore.dialogue.events import (
    Accepted,
    AuthAnswered,
    BackBytes,
    BackConnected,
    Event,
    FrontBytes,
    TimerFired,
)
from proxycore.dialogue.session import Session
from proxycore.dialogue.states import State
from tests.support.sessions import FACTS, profile, session_in

CANARY = b"c4n4ry-p4ssw0rd"


def _log_in(session: Session, password: bytes = b"secret") -> list[tuple[Event, Command]]:
    happening = [
        Accepted(),
        FrontBytes(b"a1 LOGIN joe %b\r\na2 NOOP\r\n" % password),
        AuthAnswered(AuthOk(server="192.0.2.9", port=143)),
        BackConnected(),
        BackBytes(b"* OK hi\r\n"),
        BackBytes(b"a1 OK in\r\n"),
    ]
    return [(event, command) for event in happening for command in session.handle(event)]


def test_a_login_ends_in_a_relay_with_what_is_left_over() -> None:
    session = Session(profile(Protocol.IMAP), FACTS)
    _event, last = _log_in(session)[-1]
    assert last == Relay(b"a1 OK in\r\n", b"a2 NOOP\r\n")
    assert session.state is State.RELAYING


@pytest.mark.parametrize("protocol", list(Protocol))
def test_a_finished_session_leaves_nothing_behind(protocol: Protocol) -> None:
    shared = profile(protocol)
    gc.collect()
    gc.disable()
    try:
        before = sum(type(thing) is Session for thing in gc.get_objects())
        session = session_in(State.RELAYING, protocol)
        del session
        session = Session(shared, FACTS)
        session.handle(Accepted())
        del session
        after = sum(type(thing) is Session for thing in gc.get_objects())
    finally:
        gc.enable()
    assert after == before


def test_what_the_profile_shares_is_not_changed_by_sessions() -> None:
    shared = profile(Protocol.IMAP)
    before = pickle.dumps([repr(command) for command in shared.opening])
    for _ in range(2):
        _log_in(Session(shared, FACTS))
    assert pickle.dumps([repr(command) for command in shared.opening]) == before


def test_no_event_or_command_shows_the_password() -> None:
    session = Session(profile(Protocol.IMAP), FACTS)
    happened = _log_in(session, CANARY)
    assert any(isinstance(command, SendBack) for _, command in happened)
    assert CANARY.decode() not in repr(happened)


def test_a_session_forgets_the_password_when_it_ends() -> None:
    session = Session(profile(Protocol.IMAP), FACTS)
    session.handle(Accepted())
    session.handle(FrontBytes(b"a1 LOGIN joe %b\r\n" % CANARY))
    session.handle(AuthAnswered(AuthFailed(text=b"no", wait_s=1)))
    assert CANARY not in repr([getattr(session, name) for name in Session.__slots__]).encode()


def test_the_login_shown_is_what_the_auth_service_made_of_it() -> None:
    session = session_in(State.AUTHORISING, Protocol.IMAP)
    assert session.login == b"joe"
    session.handle(AuthAnswered(AuthOk(server="192.0.2.9", port=1, login=b"joe@example.com")))
    assert session.login == b"joe@example.com"


def test_a_name_with_a_line_end_is_not_taken_from_a_refusal() -> None:
    session = session_in(State.AUTHORISING, Protocol.IMAP)
    session.handle(AuthAnswered(AuthFailed(text=b"no", wait_s=1, login=b"a\r\nb")))
    assert session.login == b"joe"


def test_held_back_input_is_bounded_and_read_again_later() -> None:
    session = session_in(State.AUTHORISING, Protocol.IMAP, imap_client_buffer_bytes=128)
    session.handle(FrontBytes(b"a2 NOOP\r\n"))
    assert session.wants_front
    session.handle(FrontBytes(b"a2 NOOP\r\n" * 20))
    assert not session.wants_front
    session.handle(AuthAnswered(AuthFailed(text=b"no", wait_s=1)))
    assert not session.wants_front
    done = session.handle(TimerFired())
    assert session.wants_front
    said = b"".join(command.data for command in done if isinstance(command, SendFront))
    assert said == b"a1 NO no\r\n" + b"a2 OK completed\r\n" * 21


def test_a_burst_behind_a_login_stops_the_reading_at_once() -> None:
    session = session_in(State.IDENTIFYING, Protocol.IMAP, imap_client_buffer_bytes=128)
    session.handle(FrontBytes(b"a1 LOGIN joe secret\r\n" + b"a2 NOOP\r\n" * 20))
    assert session.state is State.AUTHORISING
    assert not session.wants_front


def test_every_submission_has_its_number() -> None:
    session = session_in(State.IDENTIFYING, Protocol.POP3)
    for attempt in (1, 2, 3):
        done = session.handle(FrontBytes(b"USER joe\r\nPASS bad\r\n"))
        asked = done[-1]
        assert isinstance(asked, AskAuth)
        assert asked.request.attempt == attempt
        session.handle(AuthAnswered(AuthFailed(text=b"no", wait_s=1)))
        session.handle(TimerFired())


def test_all_octets_are_clean_login_failures_or_reach_the_auth_service() -> None:
    for octet in range(256):
        value = bytes((octet,))
        session = session_in(State.IDENTIFYING, Protocol.IMAP)
        done = list(
            session.handle(FrontBytes(b"a1 LOGIN {1+}\r\n%b {1+}\r\n%b\r\n" % (value, value)))
        )
        if value in b"\r\n\0":
            assert done[1] == SendFront(b"a1 NO Invalid login or password\r\n")
        else:
            assert isinstance(done[-1], AskAuth)
            assert done[-1].request.login == done[-1].request.password == value
