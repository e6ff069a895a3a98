"""SMTP before login, as its server (RFC 5321 §4, RFC 4954; nginx's dialogue)."""

import re
from collections.abc import Callable
from typing import Final, Self

from proxycore.contract.protocol import Protocol
from proxycore.contract.reasons import CloseReason
from proxycore.dialogue import replies
from proxycore.dialogue.back_smtp import SmtpBack, envelope, introduction
from proxycore.dialogue.back_starttls import SmtpStartTls
from proxycore.dialogue.credential import Credential
from proxycore.dialogue.legs import Front
from proxycore.dialogue.profile import Facts, Profile
from proxycore.dialogue.shown import shown
from proxycore.dialogue.steps import (
    Envelope,
    Farewell,
    FrontStep,
    Noted,
    Submission,
    Upgrade,
    mistaken,
)
from proxycore.wire import smtp
from proxycore.wire.inbox import Inbox

_INVALID: Final = replies.INVALID[Protocol.SMTP]
_QUIT: Final = Farewell(replies.SMTP_BYE, CloseReason.CLIENT_QUIT)
_UPGRADE: Final = Upgrade(replies.SMTP_START_TLS, replies.SMTP_IMPROPER_PIPELINING)

_CONTROLS = re.compile(rb"[\x00-\x20\x7f]")
"""A client's name goes into a command to the mail server; nothing in it may end one."""

_CONTROLS_IN_PATH = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""Of an address only what no command can hold: neither nginx nor we know what it means."""


class SmtpFront(Front):
    """Commands in, steps out. HELO is not required before AUTH, as in nginx, but after STARTTLS."""

    __slots__ = ("_client_name", "_envelope", "_hello_due", "_is_esmtp", "_line", "_mail")

    _CHALLENGE = b"334 %b\r\n"

    def __init__(self, profile: Profile, facts: Facts) -> None:
        Front.__init__(self, profile, facts)
        self._client_name = b""
        self._hello_due = False
        """TLS has begun, and the client has not said who it is inside it."""
        self._is_esmtp = False
        """The client said EHLO once; a later HELO does not undo it."""
        self._line = b""
        """The line being answered."""
        self._mail = b""
        """The MAIL line of the transaction that is begun, where that needs no login."""
        self._envelope: Envelope | None = None
        """What was submitted last, when that was no login."""

    def secured(self, profile: Profile) -> Self:
        """Give the dialogue inside TLS, which begins with EHLO (RFC 3207 §4.2)."""
        front = super().secured(profile)
        front._hello_due = True
        return front

    def read(self, inbox: Inbox) -> FrontStep:
        """Give the next step; None when more octets are needed. Raises LineTooLong."""
        if self._take is not None:
            return self._read_response(self._take, inbox)
        line = inbox.take_line(self._profile.client_buffer_bytes)
        if line is None:
            return None
        parsed = smtp.parse(line)
        if parsed is None:
            return mistaken(line, _INVALID)
        self._line = line
        verb, arguments = parsed
        return _COMMANDS[verb](self, arguments)

    def invalid(self, inbox: Inbox) -> bytes:
        """Give the invalid-command reply."""
        return _INVALID

    def unusable(self) -> bytes:
        """Give the invalid-command reply."""
        return _INVALID

    def refuse(self, text: bytes, error_code: bytes) -> bytes:
        """Give the failure reply to the last submission."""
        return b"%b %b\r\n" % (error_code or replies.SMTP_LOGIN_FAILED_CODE, text)

    def put_off(self) -> bytes:
        """Give the reply to a submission that may be tried again later (RFC 4954 §6)."""
        return b"454 4.7.0 %b\r\n" % replies.TOO_MANY_LOGINS

    def open_back(self, credential: Credential) -> SmtpBack:
        """Give the dialogue that introduces the client to its mail server."""
        profile = self._profile
        hello = (b"EHLO" if self._is_esmtp else b"HELO", self._client_name)
        script = introduction(profile, self._facts, hello, credential)
        return SmtpBack(profile.proxy_buffer_bytes, script, credential, envelope(self._envelope))

    def open_starttls(self) -> SmtpStartTls:
        """Give the dialogue that gets its mail server to begin TLS."""
        return SmtpStartTls(self._profile.proxy_buffer_bytes, self._profile.name)

    # --- commands -------------------------------------------------------------------------------

    def _helo(self, arguments: list[bytes]) -> FrontStep:
        if len(arguments) != 1 or _CONTROLS.search(arguments[0]):
            return replies.SMTP_INVALID_ARGUMENT
        self._hello_due = False
        self._client_name = arguments[0]
        self._mail = b""
        return self._profile.helo

    def _ehlo(self, arguments: list[bytes]) -> FrontStep:
        reply = self._helo(arguments)
        if reply is replies.SMTP_INVALID_ARGUMENT:
            return reply
        self._is_esmtp = True
        return self._profile.capabilities

    def _noop(self, _arguments: list[bytes]) -> FrontStep:
        return replies.SMTP_OK

    def _rset(self, _arguments: list[bytes]) -> FrontStep:
        self._mail = b""
        return replies.SMTP_OK

    def _quit(self, _arguments: list[bytes]) -> FrontStep:
        return _QUIT

    def _invalid(self, _arguments: list[bytes]) -> FrontStep:
        return _INVALID

    def _begin_mail(self, arguments: list[bytes]) -> FrontStep:
        line = self._line.rstrip(b" ")
        if self._hello_due:
            return replies.SMTP_BAD_SEQUENCE
        if not self._profile.takes_none:
            return Noted(replies.SMTP_AUTH_REQUIRED, f'client was rejected: "{shown(line)}"')
        if self._profile.requires_tls:
            return replies.SMTP_TLS_REQUIRED
        if self._mail:
            return replies.SMTP_BAD_SEQUENCE
        if not arguments or _CONTROLS_IN_PATH.search(line):
            return replies.SMTP_INVALID_ARGUMENT
        self._mail = line
        return replies.SMTP_OK

    def _rcpt(self, arguments: list[bytes]) -> FrontStep:
        if not self._mail:
            return replies.SMTP_BAD_SEQUENCE
        line = self._line.rstrip(b" ")
        if not arguments or _CONTROLS_IN_PATH.search(line):
            return replies.SMTP_INVALID_ARGUMENT
        self._envelope = Envelope(self._client_name, self._mail, line)
        return Submission("none", b"", b"", envelope=self._envelope)

    def _auth(self, arguments: list[bytes]) -> FrontStep:
        if self._profile.requires_tls:
            return _INVALID
        if not arguments:
            return replies.SMTP_INVALID_ARGUMENT
        if self._hello_due:
            return replies.SMTP_BAD_SEQUENCE
        self._envelope = None
        return self._begin(arguments)

    def _starttls(self, _arguments: list[bytes]) -> FrontStep:
        return _UPGRADE if self._profile.offers_starttls else _INVALID


_COMMANDS: Final[dict[bytes, Callable[..., FrontStep]]] = {
    b"HELO": SmtpFront._helo,
    b"EHLO": SmtpFront._ehlo,
    b"QUIT": SmtpFront._quit,
    b"AUTH": SmtpFront._auth,
    b"NOOP": SmtpFront._noop,
    b"MAIL": SmtpFront._begin_mail,
    b"RSET": SmtpFront._rset,
    b"RCPT": SmtpFront._rcpt,
    b"VRFY": SmtpFront._invalid,
    b"EXPN": SmtpFront._invalid,
    b"HELP": SmtpFront._invalid,
    b"STARTTLS": SmtpFront._starttls,
}
