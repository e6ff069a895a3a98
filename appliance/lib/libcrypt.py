"""crypt(3) of the system's libxcrypt, called directly.

Python's own ``crypt`` is deprecated and gone from 3.13, and implementations in Python hold the
interpreter while they compute: 5,000 rounds of SHA-512 would stop every other login for 10 ms.
A foreign call releases it, so hashing in threads uses all cores. Every Debian has the library
(``libcrypt1`` is essential there); it also knows bcrypt.
"""

import ctypes
from functools import lru_cache
from typing import Final

_NAMES: Final = ("libcrypt.so.1", "libcrypt.so.2", None)
"""Of libxcrypt with and without its old interface; None: a C library that has it built in."""

_DATA_BYTES: Final = 131_072
"""More than ``struct crypt_data`` of any C library (libxcrypt: 32,768; old glibc: 131,232 only for
DES tables, which are not used here)."""


class Unavailable(Exception):
    """This system has no crypt(3)."""


def crypt(password: bytes, setting: str) -> str:
    """Hash a password as ``setting`` says (prefix, costs and salt). Empty when it cannot.

    Raises Unavailable. A password with a NUL is none for crypt(3): it would be cut there.
    """
    if b"\x00" in password:
        return ""
    buffer = ctypes.create_string_buffer(_DATA_BYTES * 2)
    found = _function()(password, setting.encode("ascii", "replace"), buffer)
    text = (found or b"").decode("ascii", "replace")
    # a failure is marked by a star, which begins no hash (crypt(5))
    return "" if text.startswith("*") else text


@lru_cache(maxsize=1)
def _function() -> "ctypes._NamedFuncPointer":
    for name in _NAMES:
        try:
            function = ctypes.CDLL(name).crypt_r
        except (OSError, AttributeError):
            continue
        function.restype = ctypes.c_char_p
        function.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p)
        return function
    raise Unavailable("no crypt(3): install libcrypt1 (libxcrypt)")
