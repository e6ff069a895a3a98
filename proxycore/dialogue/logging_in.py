"""The phases CONNECTING and LOGGING_IN: the mail server."""

from collections.abc import Sequence
from typing import Final

from proxycore.contract.reasons import CloseReason
from proxycore.dialogue.commands import Command, Note, Relay, SecureBack, SendBack
from proxycore.dialogue.events import (
    BackBytes,
    BackClosed,
    BackConnected,
    BackFailed,
    BackSecured,
)
from proxycore.dialogue.legs import Back
from proxycore.dialogue.shown import without_secrets
from proxycore.dialogue.spine import CANCEL_TIMER, NOTHING, Spine
from proxycore.dialogue.states import State
from proxycore.dialogue.steps import BackStep, LoggedIn, Refused, Secure

_LOGGED_IN: Final = Note("info", "client logged in")

# see authorising.py
_CONNECTING: Final = State.CONNECTING
_LOGGING_IN: Final = State.LOGGING_IN
_RELAYING: Final = State.RELAYING


class LoggingIn(Spine):
    """What happens between us and the mail server."""

    __slots__ = ()

    def on_back_connected(self, _event: BackConnected) -> Sequence[Command]:
        """Begin the dialogue with the mail server."""
        credential = self._credential
        if self.state is _CONNECTING and credential is not None:
            self._enter(_LOGGING_IN)
            front = self._front
            self._back = front.open_starttls() if self._starts_tls else front.open_back(credential)
            profile = self._profile
            if profile.connect_timer is not profile.timer:
                return (profile.timer,)
        return NOTHING

    def on_back_secured(self, _event: BackSecured) -> Sequence[Command]:
        """Begin it anew inside TLS, where nothing of before counts."""
        credential = self._credential
        if self.state is not _LOGGING_IN or self._back is not None or credential is None:
            return NOTHING
        self._back = back = self._front.open_back(credential)
        return self._follow(back, back.begin())

    def on_back_bytes(self, event: BackBytes) -> Sequence[Command]:
        """Go on with it."""
        back = self._back
        if self.state is not _LOGGING_IN or back is None:
            return NOTHING
        back.inbox.feed(event.data)
        return self._follow(back, back.read())

    def _follow(self, back: Back, step: BackStep) -> Sequence[Command]:
        commands: list[Command] = []
        while type(step) is bytes:
            commands.append(SendBack(step))
            step = back.read() if back.inbox.waiting else None
        if type(step) is LoggedIn:
            self._enter(_RELAYING)
            relay = Relay(step.to_front, self._inbox.take_all())
            commands += (CANCEL_TIMER, _LOGGED_IN, relay)
        elif type(step) is Secure:
            # nothing that was said in clear is remembered
            self._back = None
            commands.append(SecureBack())
        elif type(step) is Refused:
            commands.extend(self._give_up(step))
        return commands

    def _give_up(self, refused: Refused) -> Sequence[Command]:
        if refused.message:
            note = Note("error", refused.message)
            return self._close(refused.reason, self._profile.internal_error, note)
        passed_on = self._profile.proxy_pass_error_message
        answer = without_secrets(refused.answer, self._credential)
        note = Note("info" if passed_on else "error", f'upstream sent invalid response: "{answer}"')
        reply = refused.answer if passed_on else self._profile.internal_error
        return self._close(refused.reason, reply, note)

    def on_back_failed(self, event: BackFailed) -> Sequence[Command]:
        """Give up: it could not be reached, or not securely."""
        if self.state is not _CONNECTING and self.state is not _LOGGING_IN:
            return NOTHING
        return self._close(event.reason, self._profile.internal_error)

    def on_back_closed(self, _event: BackClosed) -> Sequence[Command]:
        """Give up, or end a session that was relayed."""
        if self.state is _RELAYING:
            return self._close(CloseReason.DONE)
        if self.state is not _LOGGING_IN:
            return NOTHING
        note = Note("error", "upstream closed the connection during login")
        return self._close(CloseReason.BACKEND_CLOSED, self._profile.internal_error, note)
