"""Octets of a peer made fit to be shown in a log line: short, on one line, without credentials.

The log escapes what is not printable; here is decided what may be shown at all.
"""

import re
from typing import Final

from proxycore.dialogue.credential import Credential

_MAX_SHOWN_BYTES: Final = 200
_MASK: Final = b"********"
_CREDENTIALS = re.compile(rb"\b(AUTH\w*|LOGIN|USER|PASS|APOP)\b.*", re.IGNORECASE | re.DOTALL)
_LINE_ENDS = bytes.maketrans(b"\r\n", b"__")


def shown(octets: bytes) -> str:
    """Give the octets as nginx logs them: CR and LF as ``_``."""
    return octets[:_MAX_SHOWN_BYTES].translate(_LINE_ENDS).decode("latin-1")


def without_credentials(octets: bytes) -> str:
    """Give what a client sent, cut off where it begins to log in."""
    return shown(_CREDENTIALS.sub(rb"\1 " + _MASK, octets))


def without_secrets(answer: bytes, credential: Credential | None) -> str:
    """Give what a mail server answered, which may quote the command it was sent."""
    answer = answer.removesuffix(b"\n").removesuffix(b"\r")
    for secret in credential.secrets() if credential is not None else ():
        answer = answer.replace(secret, _MASK)
    return shown(answer)
