"""SASL responses: base64 as lenient as nginx's, and the payloads of PLAIN.

Source: RFC 4954 §4, RFC 4616; leniency: nginx ngx_decode_base64 (spec: SASL rules).
"""

import re
from binascii import a2b_base64, b2a_base64

_ALPHABET = re.compile(rb"[A-Za-z0-9+/]*")
_PADDING = (b"", None, b"==", b"=")


def decode_base64(text: bytes) -> bytes | None:
    """Decode a response; None when it is not base64.

    Decoding stops at the first ``=`` and ignores what follows; padding is optional; an empty
    text is nothing (RFC 4959 spells it ``=``).
    """
    cut = text.find(b"=")
    if cut >= 0:
        text = text[:cut]
    if _ALPHABET.fullmatch(text) is None:
        return None
    padding = _PADDING[len(text) & 3]
    return None if padding is None else a2b_base64(text + padding)


def encode_base64(value: bytes) -> bytes:
    """Encode a challenge or response, without a line end."""
    return b2a_base64(value, newline=False)


def split_plain(message: bytes) -> tuple[bytes, bytes | None] | None:
    """Split ``authzid NUL authcid NUL password`` into authcid and password; authzid is dropped.

    None without the first NUL (there is no login); the password is None without the second.
    """
    parts = message.split(b"\0", 2)
    if len(parts) < 2:
        return None
    return parts[1], parts[2] if len(parts) > 2 else None


def plain(login: bytes, password: bytes) -> bytes:
    """Give the PLAIN response for a login, encoded."""
    return encode_base64(b"\0%b\0%b" % (login, password))
