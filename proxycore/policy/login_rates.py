"""How often something was counted lately: a table of fixed size in memory that workers share.

An entry is a keyed hash of what is counted, when its time ends, and the count. Four of them make a
row, and what is counted has its place in one row. A full row gives up the entry with the lowest
count: who asks under ever new names displaces others that have hardly begun, not those at a limit.

Workers write without a lock. Two that count the same at the same instant may lose one of two
counts, and one that finds a half-written entry begins anew: a limit may be passed by a few, never
reached too early.
"""

import hashlib
import mmap
import struct
from typing import Final

KEY_BYTES: Final = 16
"""At the beginning of the memory: a random key, so that nobody chooses what shares a row."""

TABLE_BYTES: Final = 1 << 20
"""65,532 entries, more addresses and users than come close to a limit at once."""

_ENTRY: Final = struct.Struct("<QII")
_PER_ROW: Final = 4
_ROW_BYTES: Final = _PER_ROW * _ENTRY.size
_MOST: Final = 0xFFFF_FFFF

Memory = bytearray | mmap.mmap


class LoginRates:
    """Counts by name. Times are seconds of a clock that all workers share and never goes back."""

    __slots__ = ("_key", "_memory", "_rows")

    def __init__(self, memory: Memory) -> None:
        """``memory``: ``KEY_BYTES`` of random octets, then at least one row of zeros."""
        self._memory = memory
        self._key = bytes(memory[:KEY_BYTES])
        self._rows = (len(memory) - KEY_BYTES) // _ROW_BYTES

    def seen(self, name: bytes, now_s: float) -> int:
        """Tell how often ``name`` was counted in the time that runs now."""
        return self._find(name, int(now_s))[3]

    def count(self, name: bytes, now_s: float, ttl_s: float) -> int:
        """Count once more; tell how often, this time included. The first starts the time."""
        now = int(now_s)
        at, mark, ends, counted = self._find(name, now)
        if not counted:
            ends = now + max(1, round(ttl_s))
        counted = min(counted + 1, _MOST)
        _ENTRY.pack_into(self._memory, at, mark, ends, counted)
        return counted

    def _find(self, name: bytes, now: int) -> tuple[int, int, int, int]:
        """Give the place of a name, its mark, the end of its time and its count (0: none yet)."""
        digest = hashlib.blake2b(name, digest_size=16, key=self._key).digest()
        mark = int.from_bytes(digest[:8], "little")
        row = int.from_bytes(digest[8:], "little") % self._rows
        start = KEY_BYTES + row * _ROW_BYTES
        place, fewest = start, _MOST + 1
        for at in range(start, start + _ROW_BYTES, _ENTRY.size):
            other, ends, counted = _ENTRY.unpack_from(self._memory, at)
            if other == mark and ends > now:
                return at, mark, ends, counted
            if ends <= now:
                counted = 0
            if counted < fewest:
                place, fewest = at, counted
        return place, mark, 0, 0
