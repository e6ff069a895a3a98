"""Remember which credentials the auth service found good, and where it sent them.

A key is a keyed hash over everything the answer depended on, so no name and no password is ever a
key, two users can never share one (Dovecot's CVE-2025-30189), and a stolen memory image holds
nothing that can be tested without the key. Only successes are kept: a refusal must reach the auth
service each time, which may count it. The password in an entry is the one the service *gave*.
"""

from collections import OrderedDict
from enum import Enum
from hashlib import blake2b
from typing import Final

from proxycore.contract.authhttp import AuthOk, AuthRequest

CAPACITY: Final = 16_384
"""Entries kept, some 400 bytes each; beyond it the least recently used one goes."""

_DIGEST_BYTES: Final = 32
KEY_BYTES: Final = 32


class Freshness(Enum):
    """What an entry is good for."""

    FRESH = "fresh"
    STALE = "stale"
    """Only as long as the auth service cannot be reached."""


class AuthCache:
    """One worker's verdicts, bounded, least recently used out first."""

    __slots__ = ("_capacity", "_entries", "_key", "generation")

    def __init__(self, key: bytes, *, capacity: int = CAPACITY, generation: int = 0) -> None:
        """``key``: random bytes of this process, ``KEY_BYTES`` of them."""
        self._key = key
        self._capacity = capacity
        self._entries: OrderedDict[bytes, tuple[AuthOk, float, float]] = OrderedDict()
        self.generation = generation
        """State of routes and accounts that all entries were decided under."""

    def key_of(self, server: str, request: AuthRequest, salt: bytes = b"") -> bytes:
        """Give the key of a submission at a server block.

        The attempt number is left out, because an answer may not depend on it; everything else
        that is told to the auth service is in. Each part is preceded by its length, so that no
        two different submissions read the same.
        """
        parts = (
            server.encode(),
            request.protocol.value.encode(),
            request.method.encode(),
            request.login,
            request.password,
            request.client_ip.encode(),
            request.client_host.encode("utf-8", "surrogateescape"),
            salt,
        )
        text = b"".join([b"%d:%b" % (len(part), part) for part in parts])
        return blake2b(text, digest_size=_DIGEST_BYTES, key=self._key).digest()

    def find(self, key: bytes, now: float) -> tuple[AuthOk, Freshness] | None:
        """Look a key up; an entry that is good for nothing any more is dropped."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        verdict, fresh_until, stale_until = entry
        if now < fresh_until:
            self._entries.move_to_end(key)
            return verdict, Freshness.FRESH
        if now < stale_until:
            return verdict, Freshness.STALE
        del self._entries[key]
        return None

    def store(
        self, key: bytes, verdict: AuthOk, now: float, *, ttl_s: float, stale_s: float
    ) -> None:
        """Keep a verdict, fresh for ``ttl_s`` and ``stale_s`` more for bad times.

        Whoever asked compares ``generation`` before and after: an answer given under an older
        one must not be stored.
        """
        if ttl_s <= 0 and stale_s <= 0:
            return
        self._entries[key] = (verdict, now + ttl_s, now + ttl_s + stale_s)
        self._entries.move_to_end(key)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def drop(self, key: bytes) -> None:
        """Forget one submission: the auth service refuses it now."""
        self._entries.pop(key, None)

    def invalidate(self, generation: int) -> bool:
        """Forget everything, unless it was decided under ``generation``; tell whether it was."""
        if generation == self.generation:
            return False
        self.generation = generation
        self._entries.clear()
        return True

    def __len__(self) -> int:
        return len(self._entries)
