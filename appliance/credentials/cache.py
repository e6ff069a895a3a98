"""Remember which passwords were found right, so that only the first login pays for hashing.

An entry is a keyed hash over everything the finding depended on: the account, its epoch and its
stored hash (so any change of any of them makes a new key, whoever changed it and in whatever
process), protocol, mechanism, login, password, and for somebody else's finding who was asked and
for whom. No name and no password is ever a key, no two users can share one (Dovecot's
CVE-2025-30189), and what the memory holds cannot be tried against without the key, which is
derived from the key file and in no database. Refusals are not remembered.
"""

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final

CAPACITY: Final = 200_000
"""Findings kept, about 150 bytes each; beyond it the oldest one goes."""


class VerifiedCache:
    """Findings of this process. Safe for threads."""

    def __init__(
        self,
        key: bytes,
        *,
        ttl_s: float,
        capacity: int = CAPACITY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = key
        self._ttl_s = ttl_s
        self._capacity = capacity
        self._clock = clock
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._lock = Lock()

    def key_of(self, *parts: bytes) -> bytes:
        """Give a finding's key. Each part is preceded by its length: none runs into the next."""
        text = b"".join([b"%d:%b" % (len(part), part) for part in parts])
        return hmac.digest(self._key, text, "sha256")

    def holds(self, key: bytes) -> bool:
        """Tell whether this was found right, not too long ago."""
        until = self._until.get(key)
        if until is None:
            return False
        if self._clock() < until:
            return True
        self.forget(key)
        return False

    def remember(self, key: bytes) -> None:
        """Remember a finding."""
        if self._ttl_s <= 0:
            return
        with self._lock:
            self._until[key] = self._clock() + self._ttl_s
            self._until.move_to_end(key)
            while len(self._until) > self._capacity:
                self._until.popitem(last=False)

    def forget(self, key: bytes) -> None:
        """Forget one finding."""
        with self._lock:
            self._until.pop(key, None)

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._until.clear()

    def __len__(self) -> int:
        return len(self._until)
