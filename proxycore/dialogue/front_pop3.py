"""POP3 before login, as its server (RFC 1939 §7, RFC 2449 §5, RFC 5034; nginx's dialogue)."""

from collections.abc import Callable
from typing import Final

from proxycore.contract.protocol import Protocol
from proxycore.contract.reasons import CloseReason
from proxycore.dialogue import replies
from proxycore.dialogue.back_pop3 import Pop3Back
from proxycore.dialogue.back_starttls import Pop3StartTls
from proxycore.dialogue.credential import Credential
from proxycore.dialogue.legs import Front
from proxycore.dialogue.profile import Facts, Profile
from proxycore.dialogue.steps import Farewell, FrontStep, Submission, Upgrade, mistaken
from proxycore.wire import pop3
from proxycore.wire.inbox import Inbox

_INVALID: Final = replies.INVALID[Protocol.POP3]
_QUIT: Final = Farewell(replies.POP3_OK, CloseReason.CLIENT_QUIT)
_UPGRADE: Final = Upgrade(replies.POP3_OK, _INVALID)

_UNIX: Final = "unix:"
"""Address of a client that came by a unix socket."""


class Pop3Front(Front):
    """Commands in, steps out. An invalid command forgets the USER before it."""

    __slots__ = ("_user",)

    _CHALLENGE = b"+ %b\r\n"

    def __init__(self, profile: Profile, facts: Facts) -> None:
        Front.__init__(self, profile, facts)
        self._user: bytes | None = None
        """Name of the last USER command, while PASS may follow."""

    def read(self, inbox: Inbox) -> FrontStep:
        """Give the next step; None when more octets are needed. Raises LineTooLong."""
        if self._take is not None:
            return self._read_response(self._take, inbox)
        line = inbox.take_line(self._profile.client_buffer_bytes)
        if line is None:
            return None
        parsed = pop3.parse(line)
        if parsed is None:
            self._user = None
            return mistaken(line, _INVALID)
        verb, arguments = parsed
        if self._user is None:
            return _START[verb](self, arguments)
        return _USER[verb](self, arguments) if verb in _USER else self._invalid(arguments)

    def invalid(self, inbox: Inbox) -> bytes:
        """Give the invalid-command reply."""
        return _INVALID

    def unusable(self) -> bytes:
        """Give the invalid-command reply."""
        return _INVALID

    def refuse(self, text: bytes, error_code: bytes) -> bytes:
        """Give the failure reply to the last submission."""
        return b"-ERR %b\r\n" % text

    def put_off(self) -> bytes:
        """Give the reply to a submission that may be tried again later (RFC 3206)."""
        return b"-ERR [SYS/TEMP] %b\r\n" % replies.TOO_MANY_LOGINS

    def open_back(self, credential: Credential) -> Pop3Back:
        """Give the dialogue that logs the client in at its mail server."""
        back = Pop3Back(self._profile.proxy_buffer_bytes, credential)
        address = self._facts.client_ip
        if self._profile.proxy_issue_pop3_xoip and address != _UNIX:
            back.tell_first(b"XOIP %b\r\n" % address.encode())
        return back

    def open_starttls(self) -> Pop3StartTls:
        """Give the dialogue that gets its mail server to begin TLS."""
        return Pop3StartTls(self._profile.proxy_buffer_bytes)

    # --- commands -------------------------------------------------------------------------------

    def _invalid(self, _arguments: list[bytes]) -> FrontStep:
        self._user = None
        return _INVALID

    def _noop(self, _arguments: list[bytes]) -> FrontStep:
        return replies.POP3_OK

    def _quit(self, _arguments: list[bytes]) -> FrontStep:
        return _QUIT

    def _capa(self, _arguments: list[bytes]) -> FrontStep:
        # in the middle of a login it is too late for STLS (nginx)
        profile = self._profile if self._user is None else self._profile.secured
        return profile.capabilities

    def _stls(self, _arguments: list[bytes]) -> FrontStep:
        return _UPGRADE if self._profile.offers_starttls else _INVALID

    def _name(self, arguments: list[bytes]) -> FrontStep:
        if not arguments or self._profile.requires_tls:
            return _INVALID
        self._user = arguments[0]
        return replies.POP3_OK

    def _pass(self, arguments: list[bytes]) -> FrontStep:
        user, self._user = self._user, None
        if user is None or not arguments:
            return _INVALID
        return Submission("plain", user, arguments[0])

    def _apop(self, arguments: list[bytes]) -> FrontStep:
        if not self._profile.takes_apop or len(arguments) != 2:
            return _INVALID
        return Submission("apop", arguments[0], arguments[1], self.salt())

    def _auth(self, arguments: list[bytes]) -> FrontStep:
        return self._begin(arguments) if arguments else self._profile.methods


_START: Final[dict[bytes, Callable[..., FrontStep]]] = {
    b"USER": Pop3Front._name,
    b"PASS": Pop3Front._invalid,
    b"APOP": Pop3Front._apop,
    b"QUIT": Pop3Front._quit,
    b"CAPA": Pop3Front._capa,
    b"AUTH": Pop3Front._auth,
    b"NOOP": Pop3Front._noop,
    b"STLS": Pop3Front._stls,
}
_USER: Final[dict[bytes, Callable[..., FrontStep]]] = {
    b"PASS": Pop3Front._pass,
    b"QUIT": Pop3Front._quit,
    b"CAPA": Pop3Front._capa,
    b"NOOP": Pop3Front._noop,
}
