"""The states: every declared move is made by some story, and no event is too much for any state."""

from collections.abc import Callable

import pytest

from proxycore.contract.authhttp import AuthFailed, AuthFault, AuthOk, AuthThrottled, AuthWait
from proxycore.contract.protocol import Protocol
from proxycore.contract.reasons import CloseReason
from proxycore.dialogue import commands, events
from proxycore.dialogue.states import MOVES, State
from tests.support.dialogue import load_all
from tests.support.machine import Player
from tests.support.sessions import profile, session_in

EVENTS: list[Callable[[], events.Event]] = [
    events.Accepted,
    lambda: events.FrontBytes(b""),
    lambda: events.FrontBytes(b"\xff\0 {9+}\r\n"),
    lambda: events.FrontBytes(b"NOOP\r\n"),
    lambda: events.FrontSecured(profile(Protocol.IMAP)),
    lambda: events.FrontDistrusted("SSL certificate error", "why"),
    events.FrontClosed,
    lambda: events.FrontClosed(CloseReason.CLIENT_ERROR),
    lambda: events.AuthAnswered(AuthOk(server="192.0.2.9", port=1)),
    lambda: events.AuthAnswered(AuthFailed(text=b"no")),
    lambda: events.AuthAnswered(AuthFailed(text=b"no", wait_s=9)),
    lambda: events.AuthAnswered(AuthWait(wait_s=0)),
    lambda: events.AuthAnswered(AuthFault(CloseReason.AUTH_TIMEOUT, "timed out")),
    lambda: events.AuthAnswered(AuthThrottled("mail_login_ip_max 5")),
    events.BackConnected,
    events.BackSecured,
    lambda: events.BackFailed(CloseReason.BACKEND_REFUSED),
    lambda: events.BackBytes(b""),
    lambda: events.BackBytes(b"\xff\0\r\n"),
    lambda: events.BackBytes(b"+OK\r\n"),
    events.BackClosed,
    events.TimerFired,
    lambda: events.Stop(CloseReason.SHUTDOWN),
]


def test_every_declared_move_is_made_by_a_story() -> None:
    made = {move for dialogue in load_all() for move in Player(dialogue).play().session.moves}
    assert made == {(state, then) for state, following in MOVES.items() for then in following}


def test_every_event_is_in_the_list() -> None:
    declared = {kind for kind in vars(events).values() if isinstance(kind, type)}
    kinds = {kind for kind in declared if issubclass(kind, events.Event)} - {events.Event}
    assert {type(make()) for make in EVENTS} == kinds


@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize("state", list(State), ids=lambda state: state.name)
def test_no_event_is_too_much_for_a_state(state: State, protocol: Protocol) -> None:
    for make in EVENTS:
        session = session_in(state, protocol)
        done = session.handle(make())
        assert session.state is state or session.state in MOVES[state]
        is_ended = any(isinstance(command, commands.Close) for command in done)
        assert is_ended == (session.state is State.CLOSED is not state)


@pytest.mark.parametrize("state", list(State), ids=lambda state: state.name)
def test_nothing_is_done_for_what_cannot_happen_now(state: State) -> None:
    expected_in = {
        events.Accepted: {State.NEW},
        events.FrontSecured: {State.SECURING},
        events.FrontDistrusted: {State.NEW, State.SECURING},
        events.AuthAnswered: {State.AUTHORISING},
        events.BackFailed: {State.CONNECTING, State.LOGGING_IN},
        events.BackBytes: {State.LOGGING_IN},
        events.BackConnected: {State.CONNECTING},
    }
    for make in EVENTS:
        event = make()
        if state in expected_in.get(type(event), {state}):
            continue
        session = session_in(state, Protocol.IMAP)
        assert list(session.handle(event)) == []
        assert session.state is state


def test_an_undeclared_move_is_our_bug() -> None:
    session = session_in(State.AUTHORISING, Protocol.IMAP)
    session.state = State.LOGGING_IN
    with pytest.raises(AssertionError, match="LOGGING_IN to CONNECTING"):
        session._enter(State.CONNECTING)
