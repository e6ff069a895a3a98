"""Octets received and not yet understood: lines and literals are taken off the front.

What was taken makes room at once, so a burst of short commands never trips a limit that is meant
for one long line. Looking for a line end never looks at an octet twice.
"""


class LineTooLong(Exception):
    """The peer's line or command is longer than the limit it was read under."""


class Inbox:
    """A compacting buffer.

    Most of what arrives is one whole line: then the octets are kept as they came and nothing is
    copied but the line. Only octets that pile up go into a bytearray.
    """

    __slots__ = ("_data", "_scanned", "_start")

    def __init__(self) -> None:
        self._data: bytes | bytearray = b""
        self._start = 0
        """Where the octets begin that are not taken yet."""
        self._scanned = 0
        """Up to here there is no line end."""

    def __len__(self) -> int:
        return len(self._data) - self._start

    def feed(self, data: bytes) -> None:
        """Add octets behind those that wait."""
        waiting = self._data
        if self._start == len(waiting):
            self._data = data
            self._start = self._scanned = 0
            return
        if not isinstance(waiting, bytearray):
            self._data = waiting = bytearray(waiting)
        if self._start:
            del waiting[: self._start]
            self._scanned -= self._start
            self._start = 0
        waiting += data

    def take_line(self, limit_bytes: int) -> bytes | None:
        """Take one line off, without its LF or CRLF; None while it is incomplete.

        limit_bytes: most octets the line may have, line end counted. How the octets were cut into
        packets makes no difference to what is too long.
        Raises LineTooLong, leaving the buffer as it is.
        """
        line = self.take_raw_line(limit_bytes)
        if line is None:
            return None
        return line[:-2] if line.endswith(b"\r\n") else line[:-1]

    def take_raw_line(self, limit_bytes: int) -> bytes | None:
        """Take one line off as ``take_line`` does, but with its line end."""
        data, start = self._data, self._start
        end = data.find(b"\n", self._scanned, start + limit_bytes) + 1
        if end:
            self._start = self._scanned = end
            # most of what arrives is one line, and then this is no copy
            line = data[start:end]
            return line if type(line) is bytes else bytes(line)
        if len(data) - start >= limit_bytes:
            raise LineTooLong
        if start == len(data):
            # a session that waits keeps nothing of what it was told
            self._data = b""
            self._start = self._scanned = 0
        else:
            self._scanned = len(data)
        return None

    def take(self, count: int) -> bytes | None:
        """Take exactly ``count`` octets off; None while there are fewer."""
        start, end = self._start, self._start + count
        if len(self._data) < end:
            return None
        self._start = self._scanned = end
        return bytes(self._data[start:end])

    def take_all(self) -> bytes:
        """Take everything off."""
        if self._start == len(self._data):
            return b""
        taken = bytes(self._data[self._start :])
        self._data = b""
        self._start = self._scanned = 0
        return taken

    def peek(self, count: int) -> bytes:
        """Look at the first octets, at most ``count``."""
        return bytes(self._data[self._start : self._start + count])
