"""Remember what the auth service said to which credentials.

A key is a keyed hash over everything the answer depended on, so no name and no password is ever a
key, two users can never share one (Dovecot's CVE-2025-30189), and a stolen memory image holds
nothing that can be tested without the key. The password in an entry is the one the service *gave*.
"""

from collections import OrderedDict
from collections.abc import Iterable
from enum import Enum
from hashlib import blake2b
from typing import Final

from proxycore.contract.authhttp import AuthFailed, AuthOk, AuthRequest, TlsFacts
from proxycore.contract.messages import UNTOLD
from proxycore.policy.login_index import LoginIndex

CAPACITY_BYTES: Final = 8_388_608
"""Beyond it the least recently used entries go: some 15,000 logins."""

_ENTRY_BYTES: Final = 560
"""Of an entry and its place in the index, without the texts in it."""

_DIGEST_BYTES: Final = 32
_TAG_BYTES: Final = 16
KEY_BYTES: Final = 32


class Freshness(Enum):
    """What an entry is good for."""

    FRESH = "fresh"
    STALE = "stale"
    """Only as long as the auth service cannot be reached."""


# a member looked up by way of its class costs a tenth of a microsecond
_FRESH: Final = Freshness.FRESH

Kept = AuthOk | AuthFailed


class AuthCache:
    """One worker's verdicts, bounded, least recently used out first."""

    __slots__ = ("_capacity_bytes", "_entries", "_key", "_of_login", "generation", "size_bytes")

    def __init__(
        self, key: bytes, *, capacity_bytes: int = CAPACITY_BYTES, generation: int = 0
    ) -> None:
        """``key``: random bytes of this process, ``KEY_BYTES`` of them."""
        self._key = key
        self._capacity_bytes = capacity_bytes
        self._entries: OrderedDict[bytes, tuple[Kept, float, float, bytes]] = OrderedDict()
        self._of_login = LoginIndex()
        self.size_bytes = 0
        """What all entries take, by a rough count."""
        self.generation = generation
        """State of routes and accounts that all entries were decided under."""

    def key_of(self, server: str, request: AuthRequest) -> bytes:
        """Give the key of a submission at a server block.

        What no answer may depend on is left out: the attempt number, the client's port, the
        session. Everything else that is told to the auth service is in. What may hold any octet is
        preceded by its length, so that no two different submissions read the same.
        """
        login, password, salt, proxy = request.login, request.password, request.salt, request.proxy
        told = f"{proxy.client_ip} {proxy.server_ip} {proxy.server_port}" if proxy else ""
        where = (
            f"{len(server)}:{server}\0{request.protocol}\0{request.method}\0{request.client_ip}\0"
            f"{request.server_ip} {request.server_port}\0{told}\0{request.client_host}"
        ).encode("utf-8", "surrogateescape")
        if request.tls is not None:
            where += _secured(request.tls)
        text = b"%d:%b%d:%b%d:%b%b" % (
            len(login),
            login,
            len(password),
            password,
            len(salt),
            salt,
            where,
        )
        return blake2b(text, digest_size=_DIGEST_BYTES, key=self._key).digest()

    def find(self, key: bytes, now: float) -> tuple[Kept, Freshness] | None:
        """Look a key up; an entry that is good for nothing any more is dropped."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        verdict, fresh_until, stale_until, _ = entry
        if now < fresh_until:
            self._entries.move_to_end(key)
            return verdict, _FRESH
        if now < stale_until:
            return verdict, Freshness.STALE
        self.drop(key)
        return None

    def store(
        self, key: bytes, login: bytes, verdict: Kept, now: float, *, ttl_s: float, stale_s: float
    ) -> None:
        """Keep a verdict about ``login``, fresh for ``ttl_s`` and ``stale_s`` more for bad times.

        Nothing is kept while nobody tells of changes (``UNTOLD``). Whoever asked compares
        ``generation`` before and after: an answer given under an older one must not be stored.
        """
        if (ttl_s <= 0 and stale_s <= 0) or self.generation == UNTOLD:
            return
        self.drop(key)
        tag = self._tag(login)
        self._entries[key] = (verdict, now + ttl_s, now + ttl_s + stale_s, tag)
        self._of_login.add(tag, key)
        self.size_bytes += _weight(verdict)
        while self.size_bytes > self._capacity_bytes:
            self.drop(next(iter(self._entries)))

    def drop(self, key: bytes) -> None:
        """Forget one submission: the auth service refuses it now."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size_bytes -= _weight(entry[0])
            self._of_login.remove(entry[3], key)

    def invalidate(
        self, generation: int, *, since: int = UNTOLD, logins: Iterable[bytes] = ()
    ) -> bool:
        """Forget what was not decided under ``generation``; tell whether that was another one.

        since, logins: between that generation and this one only these logins have changed. If
        what is kept is of another generation, or nothing is said, everything is forgotten.
        """
        if generation == self.generation:
            return False
        is_known = since != UNTOLD and since == self.generation
        self.generation = generation
        if is_known:
            for login in logins:
                for key in self._of_login.of(self._tag(login)):
                    self.drop(key)
            return True
        self._entries.clear()
        self._of_login.clear()
        self.size_bytes = 0
        return True

    def _tag(self, login: bytes) -> bytes:
        """Give what stands for a login: the same for all spellings the appliance takes for one.

        It folds A-Z and nothing else (spec: seed listings §3), as ``bytes.lower`` does.
        """
        return blake2b(login.lower(), digest_size=_TAG_BYTES, key=self._key).digest()

    def __len__(self) -> int:
        return len(self._entries)


def _secured(tls: TlsFacts) -> bytes:
    """Give what the service was told of TLS: to whom a certificate belongs decides, too."""
    told = (tls.protocol, tls.cipher, tls.verify, tls.subject, tls.issuer, tls.serial)
    parts = [part.encode() for part in (*told, tls.fingerprint, tls.certificate)]
    return b"\0" + b"".join(b"%d:%b" % (len(part), part) for part in parts)


def _weight(verdict: Kept) -> int:
    weight = _ENTRY_BYTES + len(verdict.login or b"") + len(verdict.session)
    if isinstance(verdict, AuthOk):
        return weight + len(verdict.server) + len(verdict.password or b"") + len(verdict.master)
    return weight + len(verdict.text) + len(verdict.error_sasl)
