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

    __slots__ = ("_scanned", "_start", "waiting")

    def __init__(self) -> None:
        self.waiting: bytes | bytearray = b""
        """The octets that wait, behind ``_start`` others; empty exactly when none do, so that a
        session that waits keeps nothing of what it was told."""
        self._start = 0
        """Where the octets begin that are not taken yet."""
        self._scanned = 0
        """Up to here there is no line end."""

    def __len__(self) -> int:
        return len(self.waiting) - self._start

    def has_room(self, limit_bytes: int) -> bool:
        """Tell whether fewer octets wait than this. Half of what ``len`` of it costs a login."""
        return len(self.waiting) - self._start < limit_bytes

    def feed(self, data: bytes) -> None:
        """Add octets behind those that wait."""
        waiting = self.waiting
        if not waiting:
            self.waiting = data
            return
        if not isinstance(waiting, bytearray):
            self.waiting = waiting = bytearray(waiting)
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
        waiting, start = self.waiting, self._start
        end = waiting.find(b"\n", self._scanned, start + limit_bytes) + 1
        if end:
            # most of what arrives is one line, and then this is no copy
            line = waiting[start:end]
            if end == len(waiting):
                self.waiting = b""
                self._start = self._scanned = 0
            else:
                self._start = self._scanned = end
            return line if type(line) is bytes else bytes(line)
        if len(waiting) - start >= limit_bytes:
            raise LineTooLong
        self._scanned = len(waiting)
        return None

    def _take_up_to(self, end: int) -> None:
        if end == len(self.waiting):
            self.waiting = b""
            end = 0
        self._start = self._scanned = end

    def take(self, count: int) -> bytes | None:
        """Take exactly ``count`` octets off; None while there are fewer."""
        start, end = self._start, self._start + count
        if len(self.waiting) < end:
            return None
        taken = bytes(self.waiting[start:end])
        self._take_up_to(end)
        return taken

    def take_all(self) -> bytes:
        """Take everything off."""
        if not self.waiting:
            return b""
        taken = bytes(self.waiting[self._start :])
        self._take_up_to(len(self.waiting))
        return taken

    def peek(self, count: int) -> bytes:
        """Look at the first octets, at most ``count``."""
        return bytes(self.waiting[self._start : self._start + count])
