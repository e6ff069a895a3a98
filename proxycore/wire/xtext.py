"""xtext, the escaping of XCLIENT attribute values (RFC 3461 §4).

Encoded are 0x00-0x20, ``+``, ``=`` and 0x7F-0xFF, as ``+HH`` in upper case.
"""

import re

_UNSAFE = re.compile(rb"[\x00-\x20+=\x7f-\xff]")
_ENCODED = re.compile(rb"\+([0-9A-Fa-f]{2})")


def encode(value: bytes) -> bytes:
    """Encode a value so that it is one attribute value and nothing more."""
    if _UNSAFE.search(value) is None:
        return value
    return _UNSAFE.sub(lambda found: b"+%02X" % found.group()[0], value)


def decode(value: bytes) -> bytes:
    """Undo ``encode``; a ``+`` without two hex digits stays as it is."""
    return _ENCODED.sub(lambda found: bytes((int(found.group(1), 16),)), value)
