"""IMAP login at the mail server.

One line where both values can be quoted: a round trip where nginx, which always uses literals,
needs three. The tag is the client's, so the tagged answer can go to the client unchanged.
"""

from proxycore.dialogue.legs import Back
from proxycore.dialogue.steps import BackStep, LoggedIn
from proxycore.wire.imap import quote


class ImapBack(Back):
    """Greeting, LOGIN (with literals as needed), tagged OK."""

    __slots__ = ("_pieces", "_sent", "_tag")

    def __init__(self, limit_bytes: int, tag: bytes, login: bytes, password: bytes) -> None:
        super().__init__(limit_bytes)
        self._tag = tag
        self._pieces = _login_command(tag, login, password)
        self._sent = 0

    def _take(self, line: bytes) -> BackStep:
        if self._sent == 0:
            # PREAUTH would put the client into somebody's mailbox, BYE is a refusal
            if not _is(line, b"* OK"):
                return self._refuse(rejected=_is_bye(line))
            return self._send(self._send_piece())
        if line.startswith(b"* "):
            # any number of these may come before the tagged answer (RFC 3501 §7)
            return self._refuse(rejected=True) if _is_bye(line) else None
        if line.startswith(b"+"):
            if self._sent == len(self._pieces):
                return self._refuse(rejected=False)
            self._answer = self._answer[: -len(line)]
            return self._send_piece()
        return self._take_tagged(line)

    def _take_tagged(self, line: bytes) -> BackStep:
        if self._sent == len(self._pieces) and _is(line, self._tag + b" OK"):
            return LoggedIn(self._answer + self._inbox.take_all())
        return self._refuse(
            rejected=_is(line, self._tag + b" NO") or _is(line, self._tag + b" BAD")
        )

    def _send_piece(self) -> bytes:
        piece = self._pieces[self._sent]
        self._sent += 1
        return piece


def _login_command(tag: bytes, login: bytes, password: bytes) -> list[bytes]:
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
    return [*pieces, piece + b"\r\n"]


def _is(line: bytes, start: bytes) -> bool:
    return line.startswith(start) and line[len(start) : len(start) + 1] in (b" ", b"\r", b"\n")


def _is_bye(line: bytes) -> bool:
    # an untagged BAD is how a server answers a line in which it found no tag
    return _is(line, b"* BYE") or _is(line, b"* BAD")
