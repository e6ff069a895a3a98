"""IMAP login at the mail server.

One line where both values can be quoted: a round trip where nginx, which always uses literals,
needs three. Tokens, and a master user's password, go by AUTHENTICATE, in one line if the server
greets with SASL-IR (RFC 4959). The tag is the client's, so the tagged answer can go to the client
unchanged.

After login nothing is looked at any more, so what a client is to learn of the server's
capabilities it learns with that answer. A server that names them in it (RFC 3501 §7.1: a code of
the tagged OK, or an untagged line) has said it, and the answer goes through as it is. One that
named them in its greeting only, and differently from what we announced, has them put in front of
its answer, as an untagged line. One that named them nowhere is asked by the client, if it cares.
"""

from functools import lru_cache
from typing import Final

from proxycore.dialogue.announce import lasting
from proxycore.dialogue.credential import DUMMIES, Credential
from proxycore.dialogue.doing import (
    CONNECTING,
    SENDING_AUTH,
    SENDING_ID,
    SENDING_LOGIN,
    SENDING_PASSWORD,
    SENDING_USER,
)
from proxycore.dialogue.legs import LoginBack
from proxycore.dialogue.steps import BackStep, LoggedIn
from proxycore.wire.imap import greeted_capabilities, quote

_ID: Final = b"i"
"""Put before the client's tag, gives another tag for the ID command."""


class ImapBack(LoginBack):
    """Greeting, maybe ID, login (with literals or continuations as needed), tagged OK."""

    __slots__ = (
        "_announced",
        "_capabilities",
        "_credential",
        "_dummy",
        "_id",
        "_is_greeted",
        "_tag",
        "_unsent",
        "with_literals",
    )

    def __init__(
        self,
        limit_bytes: int,
        tag: bytes,
        credential: Credential,
        client_id: bytes,
        announced: frozenset[bytes],
    ) -> None:
        LoginBack.__init__(self, limit_bytes)
        self._tag = tag
        self._credential = credential
        self._id = client_id
        """To be told with ID; empty when it was told, or is not to be."""
        self._announced = announced
        self._capabilities: tuple[bytes, ...] = ()
        """Named in the greeting, in the server's spelling: some clients compare it."""
        self._dummy = DUMMIES.get(credential.mechanism, b"")
        self._is_greeted = False
        self.with_literals = False
        """Quoted strings are not used (``imap_literalauth``)."""
        self._unsent: list[bytes] = []
        """Pieces of the login command, in the order of pop()."""

    def begin(self) -> BackStep:
        """Log in without a greeting, and without capabilities: those told in clear are void."""
        return self._begin(b"")

    def _take(self, line: bytes) -> BackStep:
        if not self._is_greeted:
            # PREAUTH would put the client into somebody's mailbox, BYE is a refusal
            if not _is(line, b"* OK"):
                return self._refuse(rejected=_is_bye(line))
            return self._begin(line)
        if line.startswith(b"* "):
            # any number of these may come before the tagged answer (RFC 3501 §7)
            return self._refuse(rejected=True) if _is_bye(line) else None
        if self._id:
            return self._take_identified(line)
        if line.startswith(b"+"):
            return self._take_continuation(line)
        return self._take_tagged(line)

    def _begin(self, line: bytes) -> bytes:
        self._is_greeted = True
        # `in` would raise and catch a TypeError, within the interpreter
        if line.find(b"[") >= 0:
            self._capabilities = greeted_capabilities(line)
        self._unsent = self._login_command()
        if self._id:
            return self._send(b"%b%b ID %b\r\n" % (_ID, self._tag, self._id))
        return self._send(self._unsent.pop())

    def _take_identified(self, line: bytes) -> BackStep:
        tag = _ID + self._tag
        if not any(_is(line, tag + status) for status in (b" OK", b" NO", b" BAD")):
            return self._refuse(rejected=False)
        # whatever the server thinks of it, the login does not depend on it
        self._id = b""
        return self._send(self._unsent.pop())

    def _take_continuation(self, line: bytes) -> BackStep:
        if self._unsent:
            piece = self._unsent.pop()
        elif self._dummy:
            piece, self._dummy = self._dummy, b""
        else:
            return self._refuse(rejected=False)
        self._answer = self._answer[: -len(line)]
        return piece

    def _take_tagged(self, line: bytes) -> BackStep:
        if not self._unsent and _is(line, self._tag + b" OK"):
            return LoggedIn(self._answer_with_capabilities() + self.inbox.take_all())
        return self._refuse(
            rejected=_is(line, self._tag + b" NO") or _is(line, self._tag + b" BAD")
        )

    @property
    def doing(self) -> str:
        """What the mail server is to answer to, as logs say it."""
        if not self._is_greeted:
            return CONNECTING
        if self._id:
            return SENDING_ID
        credential = self._credential
        if credential.mechanism or credential.master:
            return SENDING_AUTH
        if len(self._login_command()) - len(self._unsent) == 1:
            return SENDING_LOGIN
        return SENDING_USER if self._unsent else SENDING_PASSWORD

    def _login_command(self) -> list[bytes]:
        """Give the pieces in the order of pop(); each but the first waits for ``+``."""
        if self.with_literals and not (self._credential.mechanism or self._credential.master):
            return _by_literals(self._tag, self._credential)
        return _login_command(self._tag, self._credential, self._capabilities)

    def _answer_with_capabilities(self) -> bytes:
        answer = self._answer
        if not self._capabilities or answer.upper().find(b"CAPABILITY") >= 0:
            return answer
        return _correction(self._capabilities, self._announced) + answer


@lru_cache(maxsize=256)
def _correction(capabilities: tuple[bytes, ...], announced: frozenset[bytes]) -> bytes:
    """Give the line that says a server's capabilities; none where they are those announced.

    Remembered, because every login at a mail server needs the same: 4 µs of its 55 in Python.
    """
    kept = lasting(capabilities)
    if kept == announced:
        return b""
    words = [word for word in capabilities if word.upper() in kept]
    return b"* CAPABILITY %b\r\n" % b" ".join(words)


def _by_literals(tag: bytes, credential: Credential) -> list[bytes]:
    login, password = credential.login, credential.password
    return [
        password + b"\r\n",
        b"%b {%d}\r\n" % (login, len(password)),
        b"%b LOGIN {%d}\r\n" % (tag, len(login)),
    ]


def _login_command(
    tag: bytes, credential: Credential, capabilities: tuple[bytes, ...]
) -> list[bytes]:
    if credential.mechanism or credential.master:
        mechanism = credential.mechanism or b"PLAIN"
        response = credential.response(mechanism)
        if any(word.upper() == b"SASL-IR" for word in capabilities):
            return [b"%b AUTHENTICATE %b %b\r\n" % (tag, mechanism, response)]
        return [response + b"\r\n", b"%b AUTHENTICATE %b\r\n" % (tag, mechanism)]
    login, password = credential.login, credential.password
    quoted_login, quoted_password = quote(login), quote(password)
    if quoted_login is not None and quoted_password is not None:
        return [b"%b LOGIN %b %b\r\n" % (tag, quoted_login, quoted_password)]
    pieces, piece = [], tag + b" LOGIN"
    for value, quoted in ((login, quoted_login), (password, quoted_password)):
        if quoted is not None:
            piece += b" " + quoted
        else:
            pieces.append(b"%b {%d}\r\n" % (piece, len(value)))
            piece = value
    return [piece + b"\r\n", *reversed(pieces)]


def _is(line: bytes, start: bytes) -> bool:
    return line.startswith(start) and line[len(start) : len(start) + 1] in (b" ", b"\r", b"\n")


def _is_bye(line: bytes) -> bool:
    # an untagged BAD is how a server answers a line in which it found no tag
    return _is(line, b"* BYE") or _is(line, b"* BAD")
