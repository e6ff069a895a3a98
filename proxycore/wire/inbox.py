"""Octets received and not yet understood: lines and literals are taken off the front.

What was taken makes room at once, so a burst of short commands never trips a limit that is meant
for one long line. Looking for a line end never looks at an octet twice.
"""


class LineTooLong(Exception):
    """The peer's line or command is longer than the limit it was read under."""


class Inbox:
    """A compacting buffer."""

    __slots__ = ("_data", "_scanned")

    def __init__(self) -> None:
        self._data = bytearray()
        self._scanned = 0

    def __len__(self) -> int:
        return len(self._data)

    def feed(self, data: bytes) -> None:
        """Add octets behind those that wait."""
        self._data += data

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
        data = self._data
        end = data.find(b"\n", self._scanned, limit_bytes)
        if end < 0:
            if len(data) >= limit_bytes:
                raise LineTooLong
            self._scanned = len(data)
            return None
        return self._take(end + 1)

    def take(self, count: int) -> bytes | None:
        """Take exactly ``count`` octets off; None while there are fewer."""
        return None if len(self._data) < count else self._take(count)

    def take_all(self) -> bytes:
        """Take everything off."""
        return self._take(len(self._data)) if self._data else b""

    def peek(self, count: int) -> bytes:
        """Look at the first octets, at most ``count``."""
        return bytes(self._data[:count])

    def _take(self, count: int) -> bytes:
        self._scanned = 0
        data = self._data
        if count == len(data):
            taken = bytes(data)
            data.clear()
            return taken
        taken = bytes(data[:count])
        del data[:count]
        return taken
