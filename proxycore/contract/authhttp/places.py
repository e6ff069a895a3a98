"""Where a mail server may be: the forms of ``Auth-Server``.

nginx takes a bare IP address. Ours takes ``[v6]``, ``unix:/path`` and host names too.
"""

import ipaddress
import re

_IPV4 = re.compile(rb"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|[01]?\d?\d)){3}")
_LABEL = rb"(?!-)[0-9A-Za-z_-]{1,63}(?<!-)"
_HOST = re.compile(rb"%b(?:\.%b)*\.?" % (_LABEL, _LABEL))
_NUMBER = rb"(?:0[xX][0-9A-Fa-f]*|[0-9]+)"
_NUMBERS = re.compile(rb"%b(?:\.%b)*\.?" % (_NUMBER, _NUMBER))
_UNIX = re.compile(rb"unix:/[^\x00-\x1f\x7f]+")

_MAX_UNIX_PATH_BYTES = 107
"""Linux: sun_path holds 108 octets with its NUL."""


def is_ip_address(text: bytes) -> bool:
    """Tell whether this is a dotted quad or a bare IPv6 address."""
    if _IPV4.fullmatch(text):
        return True
    if b":" not in text or len(text) > 45:
        return False
    try:
        ipaddress.IPv6Address(text.decode("ascii"))
    except (ValueError, UnicodeDecodeError):
        return False
    return b"%" not in text


def is_host_name(text: bytes) -> bool:
    """Tell whether this is a name for the DNS and not a malformed address.

    Source: RFC 1123 §2.1, with the underscore that is in use; what the C library would read as a
    number (``127.1``, ``0x7f000001``) is no name.
    """
    return len(text) <= 253 and _HOST.fullmatch(text) is not None and not _NUMBERS.fullmatch(text)


def read_place(text: bytes) -> str | None:
    """Read an ``Auth-Server``: an address without brackets or leading zeros, ``unix:/path`` or a
    host name; None for anything else."""
    if _IPV4.fullmatch(text):
        # leading zeros would be octal to the C library
        return ".".join(str(int(part)) for part in text.split(b"."))
    if text.startswith(b"unix:"):
        is_path = _UNIX.fullmatch(text) is not None and len(text) - 5 <= _MAX_UNIX_PATH_BYTES
        return text.decode("utf-8", "surrogateescape") if is_path else None
    if text.startswith(b"[") and text.endswith(b"]"):
        text = text[1:-1]
        return text.decode("ascii") if b":" in text and is_ip_address(text) else None
    if is_ip_address(text) or is_host_name(text):
        return text.decode("ascii")
    return None
