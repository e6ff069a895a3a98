"""POP3 login at the mail server: USER and PASS, whatever the client used to prove a password.

Tokens, and a master user's password, go by AUTH (RFC 5034).
"""

from typing import Final

from proxycore.dialogue.credential import DUMMIES, Credential
from proxycore.dialogue.legs import LoginBack
from proxycore.dialogue.steps import BackStep, LoggedIn

_MAX_COMMAND_BYTES: Final = 255
"""Longest command line with its initial response (RFC 5034 §4); tokens are mostly longer."""


class Pop3Back(LoginBack):
    """Greeting, USER and PASS or AUTH; the last answer goes to the client unchanged."""

    __slots__ = ("_dummy", "_first", "_has_response", "_is_first_sent", "_unsent")

    def __init__(self, limit_bytes: int, credential: Credential) -> None:
        LoginBack.__init__(self, limit_bytes)
        self._first = b""
        """To be sent before the login; empty when it was, or there is nothing."""
        self._is_first_sent = False
        """Its answer is to come next."""
        self._has_response = False
        """The last of ``_unsent`` is a response, to be sent when it is asked for."""
        self._dummy = DUMMIES.get(credential.mechanism, b"")
        # in the order of pop()
        if credential.mechanism or credential.master:
            self._unsent = self._auth(credential)
        else:
            self._unsent = [
                b"PASS %b\r\n" % credential.password,
                b"USER %b\r\n" % credential.login,
            ]

    def _auth(self, credential: Credential) -> list[bytes]:
        mechanism = credential.mechanism or b"PLAIN"
        response = credential.response(mechanism)
        command = b"AUTH %b %b\r\n" % (mechanism, response)
        if len(command) <= _MAX_COMMAND_BYTES:
            return [command]
        self._has_response = True
        return [response + b"\r\n", b"AUTH %b\r\n" % mechanism]

    def tell_first(self, command: bytes) -> None:
        """Send this before the login, which does not depend on the answer."""
        self._first = command

    def begin(self) -> BackStep:
        """Log in without a greeting."""
        return self._go_on()

    def _go_on(self) -> BackStep:
        if self._first:
            command, self._first, self._is_first_sent = self._first, b"", True
            return self._send(command)
        return self._send(self._unsent.pop())

    def _take(self, line: bytes) -> BackStep:
        if self._is_first_sent and line.startswith((b"+OK", b"-ERR")):
            self._is_first_sent = False
            return self._go_on()
        if line.startswith(b"+ ") or line.rstrip(b"\r\n") == b"+":
            return self._take_continuation()
        awaits_go_ahead = self._has_response and len(self._unsent) == 1
        if not line.startswith(b"+OK") or awaits_go_ahead:
            return self._refuse(rejected=line.startswith(b"-ERR"))
        if self._unsent:
            return self._go_on()
        return LoggedIn(line + self.inbox.take_all())

    def _take_continuation(self) -> BackStep:
        if self._has_response and len(self._unsent) == 1:
            self._has_response = False
            return self._send(self._unsent.pop())
        if self._dummy and not self._unsent:
            dummy, self._dummy = self._dummy, b""
            return self._send(dummy)
        return self._refuse(rejected=False)
