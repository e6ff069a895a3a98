"""How a login or password is written into one header line."""

import re
from typing import Final

_UNSAFE = re.compile(rb"[\x00-\x20%]")
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")
_LINE_BREAKS = re.compile(rb"[\x00\r\n]")

breaks_line: Final = _LINE_BREAKS.search
"""Tell (a match or None) whether a value could end a line of a header or of a command. A bound
method, because a login looks at several values."""


def escape(value: bytes) -> bytes:
    """Escape 0x00-0x20 and ``%`` as ``%HH``; everything else goes raw, as in nginx."""
    if _UNSAFE.search(value) is None:
        return value
    return _UNSAFE.sub(lambda found: b"%%%02X" % found.group()[0], value)


def unescape(value: bytes) -> bytes:
    """Undo ``escape``; a ``%`` without two hex digits stays as it is."""
    if b"%" not in value:
        return value
    return _ESCAPED.sub(lambda found: bytes((int(found.group(1), 16),)), value)


def one_line(value: bytes) -> bytes:
    """Give a value that is sent unescaped without anything that could end its header line."""
    return _LINE_BREAKS.sub(b"?", value) if breaks_line(value) else value
