"""A cache of TLS sessions in memory that workers share: ``ssl_session_cache shared:NAME:SIZE``.

No locks. A record stands in consecutive cells from where its session id hashes to; what is written
over it, by this process or another, breaks its checksum, and a broken record is one that is not
there. So nobody waits for anybody, and a cache that is too small forgets instead of failing.
Lifetime is OpenSSL's affair: it looks at what it is given.
"""

import hashlib
import mmap
from typing import Final

CELL_BYTES: Final = 256
"""nginx promises about 4,000 sessions per megabyte."""

_SUM_BYTES: Final = 16
_HEAD_BYTES: Final = _SUM_BYTES + 2 + 1
_MOST_CELLS: Final = 16
"""A session with a client's certificate has 1 to 3 kB."""

Memory = mmap.mmap | bytearray


class Zone:
    """Sessions by their id, in someone's memory."""

    __slots__ = ("_cells", "_memory")

    def __init__(self, memory: Memory) -> None:
        """``memory``: zeros at first; a mapping that workers share (a memfd), or one's own."""
        self._memory = memory
        self._cells = len(memory) // CELL_BYTES

    def store(self, identity: bytes, session: bytes) -> bool:
        """Keep a session; tell whether it was small enough. Others may be lost by it."""
        body = identity + session
        size = _HEAD_BYTES + len(body)
        cells = -(-size // CELL_BYTES)
        if cells > min(_MOST_CELLS, self._cells) or len(identity) > 255:
            return False
        counted = len(body).to_bytes(2) + bytes((len(identity),)) + body
        record = _sum(counted) + counted
        start = self._place(_number(identity), cells)
        self._memory[start : start + size] = record
        return True

    def find(self, identity: bytes) -> bytes | None:
        """Give the session of this id."""
        number = _number(identity)
        for cells in range(1, min(_MOST_CELLS, self._cells) + 1):
            found = self._read(self._place(number, cells), cells, identity)
            if found is not None:
                return found
        return None

    def forget(self, identity: bytes) -> None:
        """Drop the session of this id."""
        number = _number(identity)
        for cells in range(1, min(_MOST_CELLS, self._cells) + 1):
            start = self._place(number, cells)
            if self._read(start, cells, identity) is not None:
                self._memory[start : start + _SUM_BYTES] = bytes(_SUM_BYTES)

    def _place(self, number: int, cells: int) -> int:
        return number % (self._cells - cells + 1) * CELL_BYTES

    def _read(self, start: int, cells: int, identity: bytes) -> bytes | None:
        # a copy: the other processes do not wait until we have looked
        record = bytes(self._memory[start : start + cells * CELL_BYTES])
        size = int.from_bytes(record[_SUM_BYTES : _SUM_BYTES + 2])
        if -(-(_HEAD_BYTES + size) // CELL_BYTES) != cells:
            return None
        counted = record[_SUM_BYTES : _HEAD_BYTES + size]
        body = counted[3:]
        if counted[2] != len(identity) or not body.startswith(identity):
            return None
        return body[len(identity) :] if record[:_SUM_BYTES] == _sum(counted) else None


def _number(identity: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(identity, digest_size=8).digest())


def _sum(octets: bytes) -> bytes:
    return hashlib.blake2b(octets, digest_size=_SUM_BYTES).digest()
