"""SMTP before login, as its server (RFC 5321 §4, RFC 4954; nginx's dialogue)."""

import re
from collections.abc import Callable
from typing import ClassVar, Final

from proxycore.contract.protocol import Protocol
from proxycore.contract.reasons import CloseReason
from proxycore.dialogue import replies
from proxycore.dialogue.back_smtp import SmtpBack, login_script
from proxycore.dialogue.profile import Facts, Profile
from proxycore.dialogue.sasl import Challenge, Outcome, Take, first_word
from proxycore.dialogue.shown import shown
from proxycore.dialogue.steps import Farewell, FrontStep, Noted, Submission, mistaken
from proxycore.wire import smtp
from proxycore.wire.inbox import Inbox

_INVALID: Final = replies.INVALID[Protocol.SMTP]
_QUIT: Final = Farewell(replies.SMTP_BYE, CloseReason.CLIENT_QUIT)

_CONTROLS = re.compile(rb"[\x00-\x20\x7f]")
"""A client's name goes into a command to the mail server; nothing in it may end one."""


class SmtpFront:
    """Commands in, steps out. HELO is not required before AUTH, as in nginx."""

    __slots__ = ("_client_name", "_is_esmtp", "_line", "_profile", "_take")

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._client_name = b""
        self._is_esmtp = False
        """The client said EHLO once; a later HELO does not undo it."""
        self._line = b""
        """The line being answered."""
        self._take: Take | None = None
        """Takes the next line, in the middle of an AUTH."""

    def read(self, inbox: Inbox) -> FrontStep:
        """Give the next step; None when more octets are needed. Raises LineTooLong."""
        line = inbox.take_line(self._profile.client_buffer_bytes)
        if line is None:
            return None
        take = self._take
        if take is not None:
            self._take = None
            return self._go_on(take(first_word(line)))
        parsed = smtp.parse(line)
        if parsed is None:
            return mistaken(line, _INVALID)
        self._line = line
        verb, arguments = parsed
        return self._COMMANDS[verb](self, arguments)

    def invalid(self, inbox: Inbox) -> bytes:
        """Give the invalid-command reply."""
        return _INVALID

    def refuse(self, text: bytes, error_code: bytes) -> bytes:
        """Give the failure reply to the last submission."""
        return b"%b %b\r\n" % (error_code or replies.SMTP_LOGIN_FAILED_CODE, text)

    def open_back(self, facts: Facts, login: bytes, password: bytes) -> SmtpBack:
        """Give the dialogue that introduces the client to its mail server."""
        hello = (b"EHLO" if self._is_esmtp else b"HELO", self._client_name)
        script = login_script(self._profile, facts, hello, login, password)
        return SmtpBack(self._profile.proxy_buffer_bytes, script)

    # --- commands -------------------------------------------------------------------------------

    def _helo(self, arguments: list[bytes]) -> FrontStep:
        if len(arguments) != 1 or _CONTROLS.search(arguments[0]):
            return replies.SMTP_INVALID_ARGUMENT
        self._client_name = arguments[0]
        return self._profile.helo

    def _ehlo(self, arguments: list[bytes]) -> FrontStep:
        reply = self._helo(arguments)
        if reply is replies.SMTP_INVALID_ARGUMENT:
            return reply
        self._is_esmtp = True
        return self._profile.capabilities

    def _noop(self, _arguments: list[bytes]) -> FrontStep:
        return replies.SMTP_OK

    def _quit(self, _arguments: list[bytes]) -> FrontStep:
        return _QUIT

    def _invalid(self, _arguments: list[bytes]) -> FrontStep:
        return _INVALID

    def _mail(self, _arguments: list[bytes]) -> FrontStep:
        return Noted(
            replies.SMTP_AUTH_REQUIRED, f'client was rejected: "{shown(self._line.rstrip(b" "))}"'
        )

    def _rcpt(self, _arguments: list[bytes]) -> FrontStep:
        return replies.SMTP_BAD_SEQUENCE

    def _auth(self, arguments: list[bytes]) -> FrontStep:
        if not arguments:
            return replies.SMTP_INVALID_ARGUMENT
        start = self._profile.mechanisms.get(arguments[0].upper())
        if start is None or len(arguments) > 2:
            return _INVALID
        return self._go_on(start(arguments[1] if len(arguments) == 2 else None))

    def _go_on(self, outcome: Outcome) -> FrontStep:
        if type(outcome) is Submission:
            return outcome
        if type(outcome) is Challenge:
            self._take = outcome.take
            return b"334 %b\r\n" % outcome.text
        return Noted(_INVALID, outcome.message)

    _COMMANDS: ClassVar[dict[bytes, Callable[..., FrontStep]]] = {
        b"HELO": _helo,
        b"EHLO": _ehlo,
        b"QUIT": _quit,
        b"AUTH": _auth,
        b"NOOP": _noop,
        b"MAIL": _mail,
        b"RSET": _noop,
        b"RCPT": _rcpt,
        b"VRFY": _invalid,
        b"EXPN": _invalid,
        b"HELP": _invalid,
        b"STARTTLS": _invalid,
    }
