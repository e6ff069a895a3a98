"""Encryption at rest: text in, an opaque token for the database out (ADR-0010).

The keys are in a file of the state directory, so a dump of the database alone shows nothing.
"""

import hmac
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class Undecryptable(Exception):
    """A stored secret fits none of our keys: the key file is not the one it was written with."""


def encrypt(text: str) -> str:
    """Give the token that stands for the text; twice the same text gives two tokens."""
    return _cipher(tuple(settings.ENCRYPTION_KEYS)).encrypt(text.encode()).decode("ascii")


def decrypt(token: str) -> str:
    """Give the text back. Raises Undecryptable."""
    try:
        return _cipher(tuple(settings.ENCRYPTION_KEYS)).decrypt(token.encode()).decode()
    except InvalidToken:
        raise unreadable() from None


def unreadable() -> Undecryptable:
    """Give the exception, which names the key file."""
    return Undecryptable(
        f"a stored secret cannot be read with the keys in {settings.SECRET_KEY_FILE}"
    )


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def derive(label: str) -> list[bytes]:
    """Give keys for another purpose, one for each of ours, newest first.

    label: names the purpose; no key serves two, and none of them leads back to ours.
    """
    return list(_derived(tuple(settings.ENCRYPTION_KEYS), label))


@lru_cache(maxsize=16)
def _derived(keys: tuple[str, ...], label: str) -> tuple[bytes, ...]:
    text = f"postroad:{label}".encode()
    return tuple(hmac.digest(key.encode(), text, "sha256") for key in keys)
