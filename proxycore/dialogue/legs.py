"""What the spine expects of the two legs, and what the legs of all protocols share."""

import typing
from abc import ABC, abstractmethod

from proxycore.contract.reasons import CloseReason
from proxycore.dialogue.profile import Facts
from proxycore.dialogue.steps import BackStep, FrontStep, Refused
from proxycore.wire.inbox import Inbox, LineTooLong


class Back(ABC):
    """The dialogue with the mail server: we are its client. Fed octets, asked for steps."""

    __slots__ = ("_answer", "_inbox", "_limit_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self._inbox = Inbox()
        self._limit_bytes = limit_bytes
        self._answer = b""
        """Lines of the answer being read that were taken off the inbox already."""

    def feed(self, data: bytes) -> None:
        """Add octets the mail server sent."""
        self._inbox.feed(data)

    def read(self) -> BackStep:
        """Give the next step: a command to send, the outcome, or None (more octets needed)."""
        while True:
            try:
                line = self._inbox.take_raw_line(self._limit_bytes - len(self._answer))
            except LineTooLong:
                return Refused(CloseReason.BACKEND_INVALID, b"")
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
        return command

    def _refuse(self, *, rejected: bool) -> Refused:
        reason = CloseReason.BACKEND_REJECTED if rejected else CloseReason.BACKEND_INVALID
        return Refused(reason, self._answer)


class Front(typing.Protocol):
    """The dialogue with the client: we are its server."""

    def read(self, inbox: Inbox) -> FrontStep:
        """Give the next step; None when more octets are needed. Raises LineTooLong."""

    def invalid(self, inbox: Inbox) -> bytes:
        """Give the invalid-command reply for the command being read."""

    def refuse(self, text: bytes, error_code: bytes) -> bytes:
        """Give the failure reply to the last submission; the dialogue starts over behind it."""

    def open_back(self, facts: Facts, login: bytes, password: bytes) -> Back:
        """Give the dialogue that logs the client in at its mail server."""
