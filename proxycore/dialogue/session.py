"""The spine of a session: states, timers, limits and reasons, the same for all three protocols.

The legs (``front_*``, ``back_*``) know what is said; this module knows when, how often and how
long. The driver owns the sockets: it reports events, executes commands in order and drops the
machine after ``Relay`` or ``Close``.

A command that has the driver ask somebody (``AskAuth``, ``ConnectBack``) is always the last of its
list, so a driver that knows the answer at once may report it from within (ADR-0002).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar, Final

from proxycore.contract.authhttp import (
    DEFAULT_FAILURE,
    AuthFailed,
    AuthFault,
    AuthOk,
    AuthRequest,
    AuthWait,
    Verdict,
    clean_text,
)
from proxycore.contract.protocol import Protocol
from proxycore.contract.reasons import CloseReason
from proxycore.dialogue import replies
from proxycore.dialogue.commands import (
    AskAuth,
    CancelTimer,
    Close,
    Command,
    ConnectBack,
    Note,
    Relay,
    SendBack,
    SendFront,
    SetTimer,
)
from proxycore.dialogue.events import (
    Accepted,
    AuthAnswered,
    BackBytes,
    BackClosed,
    BackConnected,
    BackFailed,
    Event,
    FrontBytes,
    FrontClosed,
    Stop,
    TimerFired,
)
from proxycore.dialogue.front_imap import ImapFront
from proxycore.dialogue.front_pop3 import Pop3Front
from proxycore.dialogue.front_smtp import SmtpFront
from proxycore.dialogue.legs import Back, Front
from proxycore.dialogue.profile import Facts, Profile
from proxycore.dialogue.shown import shown, without_credentials, without_secrets
from proxycore.dialogue.states import MOVES, State
from proxycore.dialogue.steps import Farewell, LoggedIn, Mistake, Noted, Refused, Submission
from proxycore.wire.inbox import Inbox, LineTooLong

MAX_WAIT_S: Final = 300
"""Longest a submission waits for an auth service that keeps saying WAIT. A client gives a reply
five minutes (RFC 5321 §4.5.3.2); nginx waits for ever."""

_MIN_WAIT_S: Final = 1

_FRONTS: Final[dict[Protocol, Callable[[Profile], Front]]] = {
    Protocol.IMAP: ImapFront,
    Protocol.POP3: Pop3Front,
    Protocol.SMTP: SmtpFront,
}

_NOTHING: Final[tuple[Command, ...]] = ()
_CANCEL_TIMER: Final = CancelTimer()
_LOGGED_IN: Final = Note("info", "client logged in")
_MAY_FOLLOW: Final = tuple(MOVES[state] for state in State)
_UNSENDABLE: Final = re.compile(rb"[\x00\r\n]")
_UNSENDABLE_ANSWER: Final = AuthFault(
    CloseReason.AUTH_INVALID, "sent a login or password with a line break"
)

_Handler = Callable[..., Sequence[Command]]
_HOLDING_BACK: Final = frozenset(
    {State.AUTHORISING, State.REFUSING, State.RETRYING, State.CONNECTING, State.LOGGING_IN}
)


class UndeclaredMove(AssertionError):
    """A state was to follow one it may not follow: our bug."""


class Session:
    """One session from ``Accepted`` to ``Relay`` or ``Close``."""

    __slots__ = (
        "_attempts",
        "_back",
        "_errors",
        "_facts",
        "_front",
        "_inbox",
        "_password",
        "_profile",
        "_refusal",
        "_request",
        "_waited_s",
        "login",
        "state",
        "wants_front",
    )

    def __init__(self, profile: Profile, facts: Facts) -> None:
        self._profile = profile
        self._facts = facts
        self._inbox = Inbox()
        self._front = _FRONTS[profile.protocol](profile)
        self._back: Back | None = None
        self._request: AuthRequest | None = None
        """The submission being decided."""
        self._refusal = b""
        """The failure reply held back in REFUSING."""
        self._password = b""
        self._errors = 0
        self._attempts = 0
        self._waited_s = 0
        self.state = State.NEW
        self.login = b""
        """The login as to be shown: the client's, or what the auth service made of it."""
        self.wants_front = True
        """False while as much is held back as may be: the client is not to be read."""

    def handle(self, event: Event) -> Sequence[Command]:
        """Take a fact, give what is to be done about it. Total: no event can make it raise."""
        return self._HANDLERS[type(event)](self, event)

    def _enter(self, state: State) -> None:
        if state not in _MAY_FOLLOW[self.state]:
            raise UndeclaredMove(f"{self.state.name} to {state.name}")
        self.state = state

    # --- the client -----------------------------------------------------------------------------

    def _on_accepted(self, _event: Accepted) -> Sequence[Command]:
        if self.state is not State.NEW:
            return _NOTHING
        delay = self._profile.greeting_delay
        if delay is None:
            return self._greet()
        self._enter(State.DELAYING)
        return (delay,)

    def _on_front_bytes(self, event: FrontBytes) -> Sequence[Command]:
        state = self.state
        if state is State.IDENTIFYING:
            self._inbox.feed(event.data)
            return self._converse([], [])
        if state is State.DELAYING:
            return self._turn_away(event.data)
        if state in _HOLDING_BACK:
            self._inbox.feed(event.data)
            self._update_wants_front()
        return _NOTHING

    def _on_front_closed(self, event: FrontClosed) -> Sequence[Command]:
        return self._close(event.reason)

    def _turn_away(self, data: bytes) -> Sequence[Command]:
        message = f'client was rejected before greeting: "{without_credentials(data)}"'
        return self._close(
            CloseReason.EARLY_TALKER, replies.SMTP_EARLY_TALKER, Note("info", message)
        )

    def _converse(self, commands: list[Command], said: list[bytes]) -> list[Command]:
        """Answer what the client said, up to a submission or to the end of what there is."""
        while True:
            step = self._read_front()
            if type(step) is bytes:
                said.append(step)
            elif type(step) is Noted:
                said.append(step.reply)
                commands.append(Note("info", step.message))
            else:
                break
        if type(step) is Farewell:
            said.append(step.reply)
            if step.message:
                commands.append(Note("info", step.message))
        if said:
            commands.append(SendFront(b"".join(said)))
        if type(step) is Submission:
            self._submit(step, commands)
        elif type(step) is Farewell:
            commands.extend(self._close(step.reason))
        return commands

    def _read_front(self) -> bytes | Noted | Submission | Farewell | None:
        front, inbox = self._front, self._inbox
        try:
            step = front.read(inbox)
        except LineTooLong:
            # the command is not shown: there may be a password in it
            reply = front.invalid(inbox)
            return Farewell(reply, CloseReason.LINE_TOO_LONG, "client sent too long command")
        if type(step) is not Mistake:
            return step
        self._errors += 1
        if self._errors < self._profile.max_errors:
            return step.reply
        message = "client sent too many invalid commands"
        return Farewell(step.reply, CloseReason.TOO_MANY_ERRORS, message)

    # --- the auth service -----------------------------------------------------------------------

    def _submit(self, step: Submission, commands: list[Command]) -> None:
        login, password = step.login, step.password
        if _UNSENDABLE.search(login) or _UNSENDABLE.search(password):
            # It could end a line of a header or of a backend command. No account has such a
            # name or password, so the client hears what the auth service would have it hear.
            commands.extend(self._fail(AuthFailed(text=DEFAULT_FAILURE)))
            return
        self.login, self._password = login, password
        self._attempts += 1
        self._waited_s = 0
        self._request = AuthRequest(
            protocol=self._profile.protocol,
            method=step.method,
            login=login,
            password=password,
            attempt=self._attempts,
            client_ip=self._facts.client_ip,
            client_host=self._facts.client_host if self._profile.sends_client_host else "",
        )
        self._enter(State.AUTHORISING)
        self._update_wants_front()
        commands.append(_CANCEL_TIMER)
        commands.append(AskAuth(self._request))

    def _on_auth_answered(self, event: AuthAnswered) -> Sequence[Command]:
        if self.state is not State.AUTHORISING:
            return _NOTHING
        verdict = event.verdict
        return self._VERDICTS[type(verdict)](self, verdict)

    def _connect(self, verdict: AuthOk) -> Sequence[Command]:
        if verdict.login is not None:
            self.login = verdict.login
        if verdict.password is not None:
            self._password = verdict.password
        # what the client submitted was looked at when it did
        if (verdict.login is not None and _UNSENDABLE.search(verdict.login)) or (
            verdict.password is not None and _UNSENDABLE.search(verdict.password)
        ):
            return self._fault(_UNSENDABLE_ANSWER)
        self._request = None
        self._enter(State.CONNECTING)
        return (self._profile.timer, ConnectBack(verdict.server, verdict.port))

    def _rename(self, login: bytes | None) -> None:
        if login is not None and not _UNSENDABLE.search(login):
            self.login = login

    def _fail(self, verdict: AuthFailed) -> Sequence[Command]:
        self._rename(verdict.login)
        text = clean_text(verdict.text)
        note = Note("info", f'client login failed: "{shown(text)}"')
        reply = self._front.refuse(text, verdict.error_code)
        if verdict.wait_s <= 0:
            return self._close(CloseReason.LOGIN_FAILED, reply, note)
        self._refusal = reply
        self._request = None
        self._password = b""
        self._enter(State.REFUSING)
        return (note, SetTimer(verdict.wait_s * 1000))

    def _ask_later(self, verdict: AuthWait) -> Sequence[Command]:
        self._rename(verdict.login)
        wait_s = max(_MIN_WAIT_S, verdict.wait_s)
        self._waited_s += wait_s
        if self._waited_s > MAX_WAIT_S:
            return self._fault(
                AuthFault(CloseReason.AUTH_UNAVAILABLE, f"asked to wait over {MAX_WAIT_S} s")
            )
        self._enter(State.RETRYING)
        return (SetTimer(wait_s * 1000),)

    def _fault(self, verdict: AuthFault) -> Sequence[Command]:
        message = f"auth http server {self._profile.auth_service} {verdict.detail}"
        return self._close(verdict.reason, self._profile.internal_error, Note("error", message))

    def _ask_again(self) -> Sequence[Command]:
        request = self._request
        assert request is not None
        if request.login != self.login:
            request = self._request = replace(request, login=self.login)
        self._enter(State.AUTHORISING)
        return (AskAuth(request),)

    def _start_over(self) -> Sequence[Command]:
        """Give the refusal that was held back, then hear what the client said meanwhile."""
        refusal, self._refusal = self._refusal, b""
        self._enter(State.IDENTIFYING)
        commands = self._converse([self._profile.timer], [refusal])
        self._update_wants_front()
        return commands

    # --- the mail server ------------------------------------------------------------------------

    def _on_back_connected(self, _event: BackConnected) -> Sequence[Command]:
        if self.state is State.CONNECTING:
            self._enter(State.LOGGING_IN)
            self._back = self._front.open_back(self._facts, self.login, self._password)
        return _NOTHING

    def _on_back_bytes(self, event: BackBytes) -> Sequence[Command]:
        back = self._back
        if self.state is not State.LOGGING_IN or back is None:
            return _NOTHING
        back.feed(event.data)
        commands: list[Command] = []
        while True:
            step = back.read()
            if type(step) is bytes:
                commands.append(SendBack(step))
            elif type(step) is LoggedIn:
                self._enter(State.RELAYING)
                commands += (
                    _CANCEL_TIMER,
                    _LOGGED_IN,
                    Relay(step.to_front, self._inbox.take_all()),
                )
                return commands
            elif type(step) is Refused:
                commands.extend(self._give_up(step))
                return commands
            else:
                return commands

    def _give_up(self, refused: Refused) -> Sequence[Command]:
        if not refused.answer:
            note = Note("error", "upstream sent too long response line")
            return self._close(refused.reason, self._profile.internal_error, note)
        passed_on = self._profile.proxy_pass_error_message
        answer = without_secrets(refused.answer, self.login, self._password)
        note = Note("info" if passed_on else "error", f'upstream sent invalid response: "{answer}"')
        reply = refused.answer if passed_on else self._profile.internal_error
        return self._close(refused.reason, reply, note)

    def _on_back_failed(self, event: BackFailed) -> Sequence[Command]:
        if self.state is not State.CONNECTING:
            return _NOTHING
        return self._close(event.reason, self._profile.internal_error)

    def _on_back_closed(self, _event: BackClosed) -> Sequence[Command]:
        if self.state is State.RELAYING:
            return self._close(CloseReason.DONE)
        if self.state is not State.LOGGING_IN:
            return _NOTHING
        note = Note("error", "upstream closed the connection during login")
        return self._close(CloseReason.BACKEND_CLOSED, self._profile.internal_error, note)

    # --- time and the operator ------------------------------------------------------------------

    def _on_timer_fired(self, _event: TimerFired) -> Sequence[Command]:
        expired = self._TIMERS.get(self.state)
        return _NOTHING if expired is None else expired(self)

    def _greet(self) -> Sequence[Command]:
        self._enter(State.IDENTIFYING)
        return self._profile.opening

    def _time_out_front(self) -> Sequence[Command]:
        return self._close(CloseReason.CLIENT_TIMEOUT, note=Note("info", "client timed out"))

    def _time_out_back(self) -> Sequence[Command]:
        note = Note("info", "upstream timed out")
        return self._close(CloseReason.BACKEND_TIMEOUT, self._profile.internal_error, note)

    def _on_stop(self, event: Stop) -> Sequence[Command]:
        return self._close(event.reason)

    # --- shared ---------------------------------------------------------------------------------

    def _close(
        self, reason: CloseReason, reply: bytes = b"", note: Note | None = None
    ) -> Sequence[Command]:
        if self.state is State.CLOSED:
            return _NOTHING
        self._enter(State.CLOSED)
        self._password, self._request = b"", None
        commands: list[Command] = [note] if note is not None else []
        if reply:
            commands.append(SendFront(reply))
        commands.append(Close(reason))
        return commands

    def _update_wants_front(self) -> None:
        self.wants_front = len(self._inbox) < self._profile.client_buffer_bytes

    # the tables that dispatch; the methods are above
    _HANDLERS: ClassVar[dict[type[Event], _Handler]] = {
        Accepted: _on_accepted,
        FrontBytes: _on_front_bytes,
        FrontClosed: _on_front_closed,
        AuthAnswered: _on_auth_answered,
        BackConnected: _on_back_connected,
        BackFailed: _on_back_failed,
        BackBytes: _on_back_bytes,
        BackClosed: _on_back_closed,
        TimerFired: _on_timer_fired,
        Stop: _on_stop,
    }

    _VERDICTS: ClassVar[dict[type[Verdict], _Handler]] = {
        AuthOk: _connect,
        AuthFailed: _fail,
        AuthWait: _ask_later,
        AuthFault: _fault,
    }

    _TIMERS: ClassVar[dict[State, _Handler]] = {
        State.DELAYING: _greet,
        State.IDENTIFYING: _time_out_front,
        State.REFUSING: _start_over,
        State.RETRYING: _ask_again,
        State.CONNECTING: _time_out_back,
        State.LOGGING_IN: _time_out_back,
    }
