"""The session: what is done about every event, and the dialogue with the client.

The legs (``front_*``, ``back_*``) know what is said; ``spine``, ``logging_in``, ``authorising`` and
this module know when, how often and how long, the same for all three protocols: each holds the
phases it names and builds on the one before. The driver owns the sockets: it reports events,
executes commands in order and drops the machine after ``Relay`` or ``Close``.

A command that has the driver ask somebody (``AskAuth``, ``ConnectBack``) is always the last of its
list, so a driver that knows the answer at once may report it from within (ADR-0002).
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from proxycore.contract.reasons import CloseReason
from proxycore.dialogue import replies
from proxycore.dialogue.authorising import Authorising
from proxycore.dialogue.commands import Command, Note, SecureFront, SendFront
from proxycore.dialogue.events import (
    Accepted,
    AuthAnswered,
    BackBytes,
    BackClosed,
    BackConnected,
    BackFailed,
    BackSecured,
    Event,
    FrontBytes,
    FrontClosed,
    FrontDistrusted,
    FrontSecured,
    Stop,
    TimerFired,
)
from proxycore.dialogue.shown import without_credentials
from proxycore.dialogue.spine import NOTHING
from proxycore.dialogue.states import State
from proxycore.dialogue.steps import Farewell, Mistake, Noted, Submission, Upgrade
from proxycore.wire.inbox import LineTooLong

_Handler = Callable[[Any, Any], Sequence[Command]]
_Expiry = Callable[[Any], Sequence[Command]]
_SECURE_FRONT = SecureFront()
# see authorising.py
_NEW = State.NEW
_IDENTIFYING = State.IDENTIFYING
_DELAYING = State.DELAYING
_HOLDING_BACK = frozenset(
    {State.AUTHORISING, State.REFUSING, State.RETRYING, State.CONNECTING, State.LOGGING_IN}
)
_SHAKING_HANDS = frozenset({State.NEW, State.SECURING})
_INJECTED = Note("info", "client sent something behind STARTTLS")


class Session(Authorising):
    """One session from ``Accepted`` to ``Relay`` or ``Close``."""

    __slots__ = ()

    def handle(self, event: Event) -> Sequence[Command]:
        """Take a fact, give what is to be done about it. Total: no event can make it raise."""
        return _HANDLERS[type(event)](self, event)

    # --- the client -----------------------------------------------------------------------------

    def _on_accepted(self, _event: Accepted) -> Sequence[Command]:
        if self.state is not _NEW:
            return NOTHING
        delay = self._profile.greeting_delay
        if delay is None:
            return self._greet()
        self._enter(State.DELAYING)
        return (delay,)

    def _on_front_bytes(self, event: FrontBytes) -> Sequence[Command]:
        state = self.state
        if state is _IDENTIFYING:
            self._inbox.feed(event.data)
            return self._converse([], [])
        if state is _DELAYING:
            return self._turn_away(event.data)
        if state in _HOLDING_BACK:
            self._inbox.feed(event.data)
            self._update_wants_front()
        return NOTHING

    def _on_front_closed(self, event: FrontClosed) -> Sequence[Command]:
        return self._close(event.reason)

    def _turn_away(self, data: bytes) -> Sequence[Command]:
        message = f'client was rejected before greeting: "{without_credentials(data)}"'
        return self._close(
            CloseReason.EARLY_TALKER, replies.SMTP_IMPROPER_PIPELINING, Note("info", message)
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
        if type(step) is Upgrade:
            return self._upgrade(step, commands, said)
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

    def _upgrade(self, step: Upgrade, commands: list[Command], said: list[bytes]) -> list[Command]:
        """Have TLS begin, unless something was said that would seem to have come inside it."""
        if len(self._inbox):
            # NO STARTTLS (2021), CVE-2014-3556: not answered, not kept, not even thrown away
            reply = b"".join((*said, step.refusal))
            commands.extend(self._close(CloseReason.STARTTLS_INJECTION, reply, _INJECTED))
            return commands
        self._enter(State.SECURING)
        said.append(step.reply)
        commands.append(SendFront(b"".join(said)))
        commands.append(_SECURE_FRONT)
        return commands

    def _on_front_secured(self, event: FrontSecured) -> Sequence[Command]:
        if self.state is not State.SECURING:
            return NOTHING
        self._secured(event.profile)
        self._enter(_IDENTIFYING)
        return NOTHING

    def _on_front_distrusted(self, event: FrontDistrusted) -> Sequence[Command]:
        if self.state not in _SHAKING_HANDS:
            return NOTHING
        reply = replies.DISTRUSTED[self._profile.protocol] % event.text.encode()
        note = Note("info", event.message)
        return self._close(CloseReason.CLIENT_CERTIFICATE, reply, note)

    def _read_front(self) -> bytes | Noted | Submission | Farewell | Upgrade | None:
        front, inbox = self._front, self._inbox
        if not inbox.waiting:
            return None
        try:
            step = front.read(inbox)
        except LineTooLong:
            # the command is not shown: there may be a password in it
            reply = front.invalid(inbox)
            return Farewell(reply, CloseReason.LINE_TOO_LONG, "client sent too long command")
        # a literal that is asked for belongs to a command that is still to come
        if step is None or step is replies.IMAP_GO_AHEAD or type(step) is Farewell:
            return step
        self._commands += 1
        if self._commands > self._profile.max_commands:
            message = "client sent too many commands"
            return Farewell(front.unusable(), CloseReason.TOO_MANY_COMMANDS, message)
        if type(step) is not Mistake:
            return step
        self._errors += 1
        if self._errors < self._profile.max_errors:
            return step.reply
        message = "client sent too many invalid commands"
        return Farewell(step.reply, CloseReason.TOO_MANY_ERRORS, message)

    def _start_over(self) -> Sequence[Command]:
        """Give the refusal that was held back, then hear what the client said meanwhile."""
        refusal, self._refusal = self._refusal, b""
        self._enter(_IDENTIFYING)
        commands = self._converse([self._profile.timer], [refusal])
        self._update_wants_front()
        return commands

    # --- time and the operator ------------------------------------------------------------------

    def _on_timer_fired(self, _event: TimerFired) -> Sequence[Command]:
        expired = _TIMERS.get(self.state)
        return NOTHING if expired is None else expired(self)

    def _greet(self) -> Sequence[Command]:
        self._enter(_IDENTIFYING)
        profile = self._profile
        if not profile.salted_greeting:
            return profile.opening
        greeting = b"%b %b\r\n" % (profile.salted_greeting, self._front.salt())
        return (SendFront(greeting), profile.timer)

    def _time_out_front(self) -> Sequence[Command]:
        note = Note("info", "client timed out (110: Connection timed out)")
        return self._close(CloseReason.CLIENT_TIMEOUT, note=note)

    def _time_out_handshake(self) -> Sequence[Command]:
        note = Note("info", "client timed out (110: Connection timed out)")
        return self._close(CloseReason.TLS_TIMEOUT, note=note)

    def _time_out_back(self) -> Sequence[Command]:
        doing = self._back.doing if self._back is not None else ""
        note = Note("info", "upstream timed out (110: Connection timed out)", doing)
        return self._close(CloseReason.BACKEND_TIMEOUT, self._profile.internal_error, note)

    def _on_stop(self, event: Stop) -> Sequence[Command]:
        return self._close(event.reason)


# an attribute of the class costs each event three times what a name of the module does
_HANDLERS: Final[dict[type[Event], _Handler]] = {
    Accepted: Session._on_accepted,
    FrontBytes: Session._on_front_bytes,
    FrontClosed: Session._on_front_closed,
    FrontSecured: Session._on_front_secured,
    FrontDistrusted: Session._on_front_distrusted,
    AuthAnswered: Authorising.on_auth_answered,
    BackConnected: Authorising.on_back_connected,
    BackSecured: Authorising.on_back_secured,
    BackFailed: Authorising.on_back_failed,
    BackBytes: Authorising.on_back_bytes,
    BackClosed: Authorising.on_back_closed,
    TimerFired: Session._on_timer_fired,
    Stop: Session._on_stop,
}

_TIMERS: Final[dict[State, _Expiry]] = {
    State.NEW: Session._time_out_handshake,
    State.SECURING: Session._time_out_handshake,
    State.DELAYING: Session._greet,
    State.IDENTIFYING: Session._time_out_front,
    State.REFUSING: Session._start_over,
    State.RETRYING: Authorising.ask_again,
    State.CONNECTING: Session._time_out_back,
    State.LOGGING_IN: Session._time_out_back,
}
