"""The little HTTP that auth_http needs: a request's head out, a reply's head and framing in.

Reading follows nginx's mail module where that matters to existing auth services: the status line
may be missing, lines may end in LF, and a header-like answer is taken whatever the status says.
Framing (RFC 9112 §6) only decides whether the connection can carry another request.
"""

import re
from typing import Final

from proxycore.contract.authhttp import MAX_REPLY_BYTES

MAX_BODY_BYTES: Final = 65_536
"""Longest body that is read away for the sake of keeping a connection."""

UNTIL_CLOSE: Final = -1
CHUNKED: Final = -2

_STATUS = re.compile(rb"HTTP/\d\.\d +(\d{3})(?: |$)")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")
_FRAMING = re.compile(
    rb"\n(content-length|transfer-encoding|connection):[ \t]*([^\n]*)", re.IGNORECASE
)
_LENGTH = re.compile(rb"\d{1,9}")


class BadReply(Exception):
    """The peer does not speak HTTP as auth_http needs it; the text is in nginx's words."""


class Head:
    """The head of a reply."""

    __slots__ = ("body", "end", "keep", "lines", "status")

    def __init__(self, status: int, lines: list[bytes], end: int) -> None:
        self.status = status
        """Status code; 0 when there was no status line."""
        self.lines = lines
        """Header lines without their line ends."""
        self.end = end
        """Where the body begins in the buffer."""
        self.body = UNTIL_CLOSE
        """Octets of body that follow, ``CHUNKED`` or ``UNTIL_CLOSE``."""
        self.keep = False
        """The connection may carry another request after the body."""


def render_start(uri: str, host: str, *, keep: bool) -> bytes:
    """Render request line and ``Host``: HTTP/1.1 to keep the connection, else nginx's HTTP/1.0."""
    return f"GET {uri} HTTP/1.{int(keep)}\r\nHost: {host}\r\n".encode()


def read_head(buffer: bytes) -> Head | None:
    """Read the head of a reply; None: more octets are needed.

    Interim replies (RFC 9110 §15.2) are passed over. Raises BadReply.
    """
    start = 0
    while True:
        end = _find_end(buffer, start)
        if end < 0:
            if len(buffer) - start > MAX_REPLY_BYTES:
                raise BadReply("sent too long response header")
            return None
        if end - start > MAX_REPLY_BYTES:
            raise BadReply("sent too long response header")
        head = _read_lines(buffer[start:end], end)
        if not 100 <= head.status < 200:
            return head
        if end > MAX_REPLY_BYTES:
            raise BadReply("sent too long response header")
        start = end


def _find_end(buffer: bytes, start: int) -> int:
    """Find where the blank line ends that ends the head, or -1."""
    if buffer.startswith((b"\r\n", b"\n"), start):
        return buffer.index(b"\n", start) + 1
    crlf = buffer.find(b"\n\r\n", start)
    lf = buffer.find(b"\n\n", start) if crlf < 0 else buffer.find(b"\n\n", start, crlf)
    if lf >= 0:
        return lf + 2
    return crlf + 3 if crlf >= 0 else -1


def _read_lines(text: bytes, end: int) -> Head:
    lines = text.split(b"\r\n")
    if not text.count(b"\n") == text.count(b"\r") == len(lines) - 1:
        lines = _split_uneven(text)
    while lines and not lines[-1]:
        lines.pop()
    if not lines or not lines[0].startswith(b"HTTP/"):
        return Head(0, lines, end)
    status = _STATUS.match(lines[0])
    head = Head(int(status.group(1)) if status else 0, lines[1:], end)
    if status is not None:
        _read_framing(head, text, is_1_1=lines[0].startswith(b"HTTP/1.1"))
    return head


def _split_uneven(text: bytes) -> list[bytes]:
    """Split lines that end in LF, or some of them; a CR anywhere else is a fault."""
    lines = text.replace(b"\r\n", b"\n").split(b"\n")
    for i, line in enumerate(lines):
        if b"\r" in line:
            status = i == 0 and line.startswith(b"HTTP/")
            raise BadReply("sent invalid response" if status else "sent invalid header in response")
    return lines


def _read_framing(head: Head, text: bytes, *, is_1_1: bool) -> None:
    length = coding = b""
    repeated = close = False
    for name, value in _FRAMING.findall(text):
        name, value = name.lower(), value.rstrip(b" \t\r").lower()
        if name == b"content-length":
            repeated = repeated or (bool(length) and value != length)
            length = value
        elif name == b"transfer-encoding":
            repeated = repeated or bool(coding)
            coding = value
        else:
            close = close or b"close" in value.replace(b" ", b"").split(b",")
    if head.status in (204, 304):
        head.body = 0
    elif repeated or (coding and length):
        # a length beside a coding is how replies are smuggled: such a connection is not kept
        head.body = UNTIL_CLOSE
    elif coding == b"chunked":
        head.body = CHUNKED
    elif not coding and _LENGTH.fullmatch(length):
        head.body = int(length)
    head.keep = is_1_1 and not close and head.body != UNTIL_CLOSE and head.body <= MAX_BODY_BYTES


class Body:
    """Reads a body away. Nobody looks at it; what counts is where it ends."""

    __slots__ = ("_buffer", "_left", "_seen", "_stage", "done")

    def __init__(self, framing: int) -> None:
        """``framing``: ``Head.body`` of a head whose connection is kept."""
        self._left = framing if framing >= 0 else 0
        self._stage = _END if framing >= 0 else _SIZE
        self._buffer = b""
        self._seen = 0
        self.done = framing == 0

    def take(self, data: bytes) -> bool:
        """Take octets; tell whether the connection can still be kept.

        Octets behind the end, a malformed chunk or a body beyond ``MAX_BODY_BYTES`` say no.
        """
        self._seen += len(data)
        if self.done or self._seen > MAX_BODY_BYTES:
            return not data
        self._buffer += data
        while not self.done:
            if self._left:
                taken = min(self._left, len(self._buffer))
                self._buffer = self._buffer[taken:]
                self._left -= taken
                if self._left:
                    return True
                if self._stage == _END:
                    self.done = True
                    break
            line, found, rest = self._buffer.partition(b"\n")
            if not found:
                return len(self._buffer) <= _MAX_CHUNK_LINE
            self._buffer = rest
            if not self._take_line(line.removesuffix(b"\r")):
                return False
        return not self._buffer

    def _take_line(self, line: bytes) -> bool:
        if self._stage == _SIZE:
            size = _CHUNK_SIZE.fullmatch(line)
            if size is None:
                return False
            self._left = int(size.group(1), 16)
            self._stage = _CRLF if self._left else _TRAILER
            return True
        if self._stage == _CRLF:
            self._stage = _SIZE
            return not line
        self.done = not line
        return True


_MAX_CHUNK_LINE: Final = 1024
_END, _SIZE, _CRLF, _TRAILER = range(4)
