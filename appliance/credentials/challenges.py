"""APOP and CRAM-MD5: the client sends a digest of our challenge and the password. Pure.

Both need the password itself to compare, which is why an account has to keep it in recoverable
form to use them. The challenge comes with the request, as the proxy showed it.
"""

import hashlib
import hmac
from typing import Final

APOP: Final = "apop"
CRAM_MD5: Final = "cram-md5"
METHODS: Final = frozenset({APOP, CRAM_MD5})


def fits(method: str, challenge: bytes, password: bytes, given: bytes) -> bool:
    """Tell whether a digest is of this password. Without a challenge none is.

    Source: RFC 1939 §7 (MD5 over challenge and password), RFC 2195 §2 (HMAC-MD5).
    """
    if method == CRAM_MD5:
        expected = hmac.digest(password, challenge, "md5")
    else:
        expected = hashlib.md5(challenge + password, usedforsecurity=False).digest()
    return hmac.compare_digest(expected.hex().encode(), given.lower()) and bool(challenge)
