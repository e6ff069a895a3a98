"""IMAP before login, as its server (RFC 3501 §6.1, §6.2; RFC 2971; nginx's dialogue)."""

from collections.abc import Callable
from typing import Final

from proxycore.contract.protocol import Protocol
from proxycore.contract.reasons import CloseReason
from proxycore.dialogue import replies
from proxycore.dialogue.back_imap import ImapBack
from proxycore.dialogue.back_starttls import ImapStartTls
from proxycore.dialogue.credential import Credential
from proxycore.dialogue.legs import Front
from proxycore.dialogue.profile import Facts, Profile
from proxycore.dialogue.steps import Farewell, FrontStep, Mistake, Submission, Upgrade, mistaken
from proxycore.wire.imap import Command, CommandReader, Malformed
from proxycore.wire.inbox import Inbox

_INVALID: Final = replies.INVALID[Protocol.IMAP]


class ImapFront(Front):
    """Commands in, steps out."""

    __slots__ = ("_id", "_reader", "_tag")

    _CHALLENGE = b"+ %b\r\n"

    def __init__(self, profile: Profile, facts: Facts) -> None:
        Front.__init__(self, profile, facts)
        self._reader = CommandReader()
        self._tag = b""
        """Tag of the command being answered."""
        self._id = b""
        """What the client said of itself with ID."""

    def read(self, inbox: Inbox) -> FrontStep:
        """Give the next step; None when more octets are needed. Raises LineTooLong."""
        if self._take is not None:
            return self._read_response(self._take, inbox)
        command = self._reader.read(inbox, self._profile.client_buffer_bytes)
        if command is None:
            return None
        if type(command) is Command:
            self._tag = command.tag
            return _COMMANDS[command.verb](self, command.arguments)
        if type(command) is Malformed:
            self._tag = command.tag
            return self._refuse_line(command)
        return replies.IMAP_GO_AHEAD

    def invalid(self, inbox: Inbox) -> bytes:
        """Give the invalid-command reply for the command being read."""
        return self._invalid(
            self._tag if self._take is not None else self._reader.announced_tag(inbox)
        )

    def unusable(self) -> bytes:
        """Give the invalid-command reply for the command read last."""
        return self._invalid(self._tag)

    def refuse(self, text: bytes, error_code: bytes) -> bytes:
        """Give the failure reply to the last submission."""
        return b"%b NO %b\r\n" % (self._tag, text)

    def put_off(self) -> bytes:
        """Give the reply to a submission that may be tried again later (RFC 5530)."""
        return b"%b NO [UNAVAILABLE] %b\r\n" % (self._tag, replies.TOO_MANY_LOGINS)

    def open_back(self, credential: Credential) -> ImapBack:
        """Give the dialogue that logs the client in at its mail server."""
        profile = self._profile
        told = self._id if profile.proxy_issue_imap_id else b""
        back = ImapBack(profile.proxy_buffer_bytes, self._tag, credential, told, profile.announced)
        if profile.imap_literalauth:
            back.with_literals = True
        return back

    def open_starttls(self) -> ImapStartTls:
        """Give the dialogue that gets its mail server to begin TLS."""
        return ImapStartTls(self._profile.proxy_buffer_bytes, self._tag)

    def _invalid(self, tag: bytes) -> bytes:
        return b"%b %b" % (tag or b"*", _INVALID)

    def _refuse_line(self, line: Malformed) -> Mistake | Farewell:
        reply = self._invalid(line.tag)
        if line.hides_literal:
            return Farewell(reply, CloseReason.UNSAFE_LITERAL)
        return mistaken(line.line, reply)

    # --- commands -------------------------------------------------------------------------------

    def _noop(self, _arguments: list[bytes]) -> FrontStep:
        return self._tag + replies.IMAP_COMPLETED

    def _capability(self, _arguments: list[bytes]) -> FrontStep:
        return b"%b%b%b" % (self._profile.capabilities, self._tag, replies.IMAP_COMPLETED)

    def _identify(self, arguments: list[bytes]) -> FrontStep:
        self._id = arguments[0]
        return b"%b%b%b" % (self._profile.imap_id, self._tag, replies.IMAP_COMPLETED)

    def _logout(self, _arguments: list[bytes]) -> FrontStep:
        reply = b"%b%b%b" % (replies.IMAP_BYE, self._tag, replies.IMAP_COMPLETED)
        return Farewell(reply, CloseReason.CLIENT_QUIT)

    def _starttls(self, arguments: list[bytes]) -> FrontStep:
        if not self._profile.offers_starttls:
            return self.unusable()
        if arguments:
            # nginx ignores them; a literal would carry octets past the end of what is in clear
            message = "client sent STARTTLS with arguments"
            return Farewell(self.unusable(), CloseReason.STARTTLS_INJECTION, message)
        return Upgrade(self._tag + replies.IMAP_COMPLETED, self.unusable())

    def _login(self, arguments: list[bytes]) -> FrontStep:
        # no mail server would take a LOGIN without a tag
        if len(arguments) != 2 or not arguments[0] or not self._tag:
            return self.unusable()
        if self._profile.requires_tls:
            return self.unusable()
        return Submission("plain", arguments[0], arguments[1])

    def _authenticate(self, arguments: list[bytes]) -> FrontStep:
        return self._begin(arguments) if arguments and self._tag else self.unusable()


_COMMANDS: Final[dict[bytes, Callable[..., FrontStep]]] = {
    b"NOOP": ImapFront._noop,
    b"CAPABILITY": ImapFront._capability,
    b"ID": ImapFront._identify,
    b"LOGOUT": ImapFront._logout,
    b"STARTTLS": ImapFront._starttls,
    b"LOGIN": ImapFront._login,
    b"AUTHENTICATE": ImapFront._authenticate,
}
