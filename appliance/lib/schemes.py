"""Password hashes as Dovecot writes them, ``{SCHEME}data``: which there are, and how to verify.

Ours is argon2id (lib.hashing); the others arrive with accounts that come from elsewhere. What is
stored keeps Dovecot's form, with one exception: ``{PLAIN}`` is a password itself, so it is
encrypted (``{ENCRYPTED}``) before it is stored.

Costs that a stored hash asks for have limits, since every login of that account pays them.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Final

import argon2

from appliance.lib import libcrypt, vault

MAX_STORED_CHARS: Final = 600

_FORM: Final = re.compile(r"\{([A-Za-z0-9-]+)\}(.*)", re.DOTALL)
_ARGON2: Final = re.compile(r"\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$[^$]+\$[^$]+")
_BCRYPT: Final = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
_SHA2_CRYPT: Final = re.compile(r"\$([56])\$(?:rounds=(\d{1,9})\$)?[^$:\s]{1,16}\$[./A-Za-z0-9]+")
_PBKDF2: Final = re.compile(r"\$1\$([^$]+)\$(\d{1,9})\$([0-9a-f]{40})")

_MAX_MEMORY_KIB: Final = 256 * 1024
_MAX_TIME_COST: Final = 10
_MAX_BCRYPT_COST: Final = 14
_MAX_SHA2_ROUNDS: Final = 500_000
_MAX_PBKDF2_ROUNDS: Final = 2_000_000
"""Each about a second at the worst."""

_verifier = argon2.PasswordHasher()


def read(text: str) -> str:
    """Give a hash as it is stored. Raises ValueError, in words for the operator."""
    found = _FORM.fullmatch(text.strip("\r\n"))
    scheme, data = (found[1].upper(), found[2]) if found else _scheme_of(text.strip())
    if scheme == "PLAIN":
        if not data:
            raise ValueError("There is no password behind {PLAIN}.")
        stored = ENCRYPTED + vault.encrypt(data)
    else:
        check = _CHECKS.get(scheme)
        if check is None:
            raise ValueError(f"The scheme is none of {', '.join(NAMES)}.")
        if not check(data):
            raise ValueError(f"This is no {scheme} hash, or one that costs too much to verify.")
        stored = data if scheme == "ARGON2ID" else f"{{{scheme}}}{data}"
    if len(stored) > MAX_STORED_CHARS:
        raise ValueError("This is too long for a password hash.")
    return stored


ENCRYPTED: Final = "{ENCRYPTED}"
"""What a stored password begins with that can be read back."""


def renew(stored: str) -> str:
    """Encrypt a readable password anew, with the newest key. Raises vault.Undecryptable."""
    return ENCRYPTED + vault.encrypt(vault.decrypt(stored.removeprefix(ENCRYPTED)))


def verify(stored: str, password: bytes) -> bool:
    """Tell whether the password is the one hashed. An unreadable hash fits no password."""
    scheme, data = split(stored)
    check = _VERIFY.get(scheme)
    return check is not None and check(data, password)


def split(stored: str) -> tuple[str, str]:
    """Give scheme and data of a stored hash; argon2id is stored without its name."""
    found = _FORM.fullmatch(stored)
    return (found[1], found[2]) if found else ("ARGON2ID", stored)


def _scheme_of(text: str) -> tuple[str, str]:
    """Recognise a bare hash in crypt's form by its prefix."""
    for prefix, scheme in (
        ("$argon2id$", "ARGON2ID"),
        ("$2", "BLF-CRYPT"),
        ("$5$", "SHA256-CRYPT"),
        ("$6$", "SHA512-CRYPT"),
    ):
        if text.startswith(prefix):
            return scheme, text
    return "", text


# --- checks of what is to be stored -------------------------------------------------------------


def _is_argon2(data: str) -> bool:
    found = _ARGON2.fullmatch(data)
    if found is None or int(found[1]) > _MAX_MEMORY_KIB or int(found[2]) > _MAX_TIME_COST:
        return False
    try:
        argon2.extract_parameters(data)
    except argon2.exceptions.InvalidHashError:
        return False
    return True


def _is_bcrypt(data: str) -> bool:
    found = _BCRYPT.fullmatch(data)
    return found is not None and 4 <= int(found[1]) <= _MAX_BCRYPT_COST


def _is_sha2_crypt(kind: str) -> Callable[[str], bool]:
    def fits(data: str) -> bool:
        found = _SHA2_CRYPT.fullmatch(data)
        if found is None or found[1] != kind:
            return False
        return int(found[2] or 5000) <= _MAX_SHA2_ROUNDS

    return fits


def _is_salted(algorithm: str) -> Callable[[str], bool]:
    return lambda data: _salted(algorithm, data) is not None


def _is_pbkdf2(data: str) -> bool:
    found = _PBKDF2.fullmatch(data)
    return found is not None and 1 <= int(found[2]) <= _MAX_PBKDF2_ROUNDS


# --- verification -------------------------------------------------------------------------------


def _verify_argon2(data: str, password: bytes) -> bool:
    try:
        return _verifier.verify(data, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


def _verify_crypt(data: str, password: bytes) -> bool:
    try:
        computed = libcrypt.crypt(password, data)
    except libcrypt.Unavailable:
        return False
    return bool(computed) and hmac.compare_digest(computed.encode(), data.encode())


def _verify_salted(algorithm: str) -> Callable[[str, bytes], bool]:
    def verify_one(data: str, password: bytes) -> bool:
        found = _salted(algorithm, data)
        if found is None:
            return False
        digest, salt = found
        return hmac.compare_digest(digest, hashlib.new(algorithm, password + salt).digest())

    return verify_one


def _salted(algorithm: str, data: str) -> tuple[bytes, bytes] | None:
    """Split base64 of digest and salt."""
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    size = hashlib.new(algorithm).digest_size
    return (raw[:size], raw[size:]) if len(raw) >= size else None


def _verify_pbkdf2(data: str, password: bytes) -> bool:
    found = _PBKDF2.fullmatch(data)
    # HMAC pads its key with NUL, so a password with NULs at its end would equal one without
    if found is None or b"\x00" in password:
        return False
    computed = hashlib.pbkdf2_hmac("sha1", password, found[1].encode(), int(found[2]))
    return hmac.compare_digest(computed.hex().encode(), found[3].encode())


def _verify_encrypted(data: str, password: bytes) -> bool:
    return hmac.compare_digest(vault.decrypt(data).encode(), password)


_CHECKS: Final[dict[str, Callable[[str], bool]]] = {
    "ARGON2ID": _is_argon2,
    "BLF-CRYPT": _is_bcrypt,
    "SHA512-CRYPT": _is_sha2_crypt("6"),
    "SHA256-CRYPT": _is_sha2_crypt("5"),
    "SSHA": _is_salted("sha1"),
    "SSHA512": _is_salted("sha512"),
    "PBKDF2": _is_pbkdf2,
}
NAMES: Final = (*_CHECKS, "PLAIN")
"""Schemes that can be imported."""

_VERIFY: Final[dict[str, Callable[[str, bytes], bool]]] = {
    "ARGON2ID": _verify_argon2,
    "BLF-CRYPT": _verify_crypt,
    "SHA512-CRYPT": _verify_crypt,
    "SHA256-CRYPT": _verify_crypt,
    "SSHA": _verify_salted("sha1"),
    "SSHA512": _verify_salted("sha512"),
    "PBKDF2": _verify_pbkdf2,
    "ENCRYPTED": _verify_encrypted,
}
