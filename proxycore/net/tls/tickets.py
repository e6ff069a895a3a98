"""Keys of session tickets: nginx's files of 48 or 80 octets, or derived from a shared secret.

Workers and nodes that have the same keys resume each other's sessions, and so does nginx with the
same files: name, cipher (AES-128-CBC or AES-256-CBC) and HMAC-SHA256 stand where nginx has them.
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Final

from proxycore.net.tls.libssl import NULL, crypto, ffi

_NAME_BYTES: Final = 16
_OCTETS: Final = 5
_UTF8: Final = 4
_DERIVED_BYTES: Final = 80

_AES_128: Final[Any] = crypto.EVP_CIPHER_fetch(NULL, b"AES-128-CBC", NULL)
_AES_256: Final[Any] = crypto.EVP_CIPHER_fetch(NULL, b"AES-256-CBC", NULL)
"""Looked up once: ``EVP_aes_256_cbc`` stands for a search each time it is used."""


class TicketKey:
    """One key, prepared as OpenSSL wants it."""

    __slots__ = ("_keep", "cipher", "cipher_key", "mac_params", "name")

    def __init__(self, octets: bytes) -> None:
        """``octets``: 48 (AES-128) or 80 (AES-256) of them."""
        self.name = octets[:_NAME_BYTES]
        if len(octets) == _DERIVED_BYTES:
            mac, cipher = octets[16:48], octets[48:80]
            self.cipher: Any = _AES_256
        else:
            cipher, mac = octets[16:32], octets[32:48]
            self.cipher = _AES_128
        self.cipher_key: Any = ffi.new("unsigned char[]", cipher)
        mac_key, digest = ffi.new("unsigned char[]", mac), ffi.new("char[]", b"sha256")
        words = (ffi.new("char[]", b"digest"), ffi.new("char[]", b"key"))
        self._keep = (mac_key, digest, words)
        self.mac_params: Any = ffi.new(
            "OSSL_PARAM[3]",
            [
                (words[0], _UTF8, digest, 6, 0),
                (words[1], _OCTETS, mac_key, len(mac), 0),
                (NULL, 0, NULL, 0, 0),
            ],
        )


class TicketKeys:
    """The first key encrypts, all decrypt; one that is not the first has its ticket renewed."""

    __slots__ = ("keys",)

    def __init__(self, keys: Sequence[bytes]) -> None:
        self.keys = tuple(TicketKey(octets) for octets in keys)

    def find(self, name: bytes) -> tuple[int, TicketKey] | None:
        """Give a key and its place by the name a ticket begins with."""
        for place, key in enumerate(self.keys):
            if key.name == name:
                return place, key
        return None


def derived_keys(secret: bytes, epoch: int) -> list[bytes]:
    """Make the keys of an epoch and the one before from one secret that all nodes share.

    Who counts epochs (hours, say) rotates keys without sending any. Old keys cannot be
    computed from newer ones, only from the secret.
    """

    def key(number: int) -> bytes:
        labels = (b"name", b"mac", b"cipher")
        parts = [
            hmac.digest(secret, b"postroad ticket %b %d" % (label, number), hashlib.sha256)
            for label in labels
        ]
        return parts[0][:_NAME_BYTES] + parts[1] + parts[2]

    return [key(epoch), key(epoch - 1)]
