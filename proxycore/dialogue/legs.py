"""What the spine expects of the two legs, and what the legs of all protocols share."""

from abc import ABC, abstractmethod
from functools import partial
from typing import ClassVar, Self

from proxycore.contract.reasons import CloseReason
from proxycore.dialogue.credential import Credential
from proxycore.dialogue.doing import sending
from proxycore.dialogue.profile import Facts, Profile
from proxycore.dialogue.sasl import Challenge, Outcome, Rejection, Take, first_word
from proxycore.dialogue.steps import BackStep, Farewell, FrontStep, Noted, Refused, Submission
from proxycore.wire.inbox import Inbox, LineTooLong


class Back(ABC):
    """The dialogue with the mail server: we are its client. Fed octets, asked for steps."""

    __slots__ = ("_answer", "_before", "_command", "_limit_bytes", "inbox")

    def __init__(self, limit_bytes: int) -> None:
        self.inbox = Inbox()
        """What the mail server sent and nobody has read."""
        self._limit_bytes = limit_bytes
        self._answer = b""
        """Lines of the answer being read that were taken off the inbox already."""
        self._command = self._before = b""
        """The last two commands."""

    def read(self) -> BackStep:
        """Give the next step: a command to send, the outcome, or None (more octets needed)."""
        while True:
            try:
                line = self.inbox.take_raw_line(self._limit_bytes - len(self._answer))
            except LineTooLong:
                return Refused(
                    CloseReason.BACKEND_INVALID, b"", "upstream sent too long response line"
                )
            if line is None:
                return None
            self._answer += line
            step = self._take(line)
            if step is not None:
                return step

    @abstractmethod
    def _take(self, line: bytes) -> BackStep:
        """Take one line, its line end included, which ``_answer`` ends with."""

    def _send(self, command: bytes) -> bytes:
        """Give a command as the step; its answer begins empty."""
        self._answer = b""
        self._before, self._command = self._command, command
        return command

    @property
    def doing(self) -> str:
        """What the mail server is to answer to, as logs say it."""
        return sending(self._command, self._before)

    def _refuse(self, *, rejected: bool) -> Refused:
        reason = CloseReason.BACKEND_REJECTED if rejected else CloseReason.BACKEND_INVALID
        return Refused(reason, self._answer)


class LoginBack(Back):
    """One that logs the client in."""

    __slots__ = ()

    @abstractmethod
    def begin(self) -> BackStep:
        """Give the first step where no greeting is to come: inside TLS after STARTTLS."""


class Front(ABC):
    """The dialogue with the client: we are its server."""

    __slots__ = ("_facts", "_profile", "_salt", "_take")

    _CHALLENGE: ClassVar[bytes]
    """Form of the line that carries a challenge."""

    def __init__(self, profile: Profile, facts: Facts) -> None:
        self._profile = profile
        self._facts = facts
        self._take: Take | None = None
        """Takes the next line, in the middle of a SASL exchange."""
        self._salt = b""

    def secured(self, profile: Profile) -> Self:
        """Give the dialogue as it begins inside TLS: nothing said in clear is known to it."""
        front = type(self)(profile, self._facts)
        # ours, and perhaps told in the greeting: there is no other one
        front._salt = self._salt  # noqa: SLF001  (one of us)
        return front

    @abstractmethod
    def read(self, inbox: Inbox) -> FrontStep:
        """Give the next step; None when more octets are needed. Raises LineTooLong."""

    @abstractmethod
    def invalid(self, inbox: Inbox) -> bytes:
        """Give the invalid-command reply for the command being read."""

    @abstractmethod
    def unusable(self) -> bytes:
        """Give the invalid-command reply for the command read last."""

    @abstractmethod
    def refuse(self, text: bytes, error_code: bytes) -> bytes:
        """Give the failure reply to the last submission; the dialogue starts over behind it."""

    @abstractmethod
    def put_off(self) -> bytes:
        """Give the reply to a submission that may be tried again later, unchanged."""

    @abstractmethod
    def open_back(self, credential: Credential) -> LoginBack:
        """Give the dialogue that logs the client in at its mail server."""

    @abstractmethod
    def open_starttls(self) -> Back:
        """Give the dialogue that gets its mail server to begin TLS."""

    def salt(self) -> bytes:
        """Give the session's challenge for APOP and CRAM-MD5, the same however often (RFC 1939 §7,
        RFC 2195 §2)."""
        if not self._salt:
            self._salt = b"<%b@%b>" % (self._facts.challenge, self._profile.name)
        return self._salt

    def explain(self, explanation: bytes, refusal: bytes, *, ends: bool) -> bytes:
        """Give the challenge that explains a refusal, which follows what the client says to it."""
        self._take = partial(_take_dummy, Rejection(refusal, ends=ends))
        return self._CHALLENGE % explanation

    # --- SASL -----------------------------------------------------------------------------------

    def _begin(self, arguments: list[bytes]) -> FrontStep:
        """Begin a mechanism; ``arguments``: its name, and the initial response if there is one."""
        start = self._profile.mechanisms.get(arguments[0].upper())
        if start is None or len(arguments) > 2:
            return self.unusable()
        return self._go_on(start(arguments[1] if len(arguments) == 2 else None, self.salt))

    def _read_response(self, take: Take, inbox: Inbox) -> FrontStep:
        line = inbox.take_line(self._profile.client_buffer_bytes)
        if line is None:
            return None
        self._take = None
        return self._go_on(take(first_word(line)))

    def _go_on(self, outcome: Outcome) -> FrontStep:
        if type(outcome) is Submission:
            return outcome
        if type(outcome) is Challenge:
            self._take = outcome.take
            return self._CHALLENGE % outcome.text
        if type(outcome) is Rejection:
            reason = CloseReason.LOGIN_FAILED
            return Farewell(outcome.reply, reason) if outcome.ends else outcome.reply
        if outcome.message:
            return Noted(self.unusable(), outcome.message)
        return self.unusable()


def _take_dummy(rejection: Rejection, _response: bytes) -> Outcome:
    # what it says changes nothing (RFC 7628 §3.2.3)
    return rejection
