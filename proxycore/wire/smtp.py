"""SMTP commands before login, and the replies of an SMTP server (RFC 5321 §4.1, §4.2)."""

import re
from functools import lru_cache
from typing import Final

VERBS: Final = frozenset(
    {
        b"HELO",
        b"EHLO",
        b"QUIT",
        b"AUTH",
        b"NOOP",
        b"MAIL",
        b"RSET",
        b"RCPT",
        b"VRFY",
        b"EXPN",
        b"HELP",
        b"STARTTLS",
    }
)

MAX_ARGUMENTS: Final = 11

_REPLY = re.compile(rb"([2-5]\d\d)([ -]|\Z)")


def parse(line: bytes) -> tuple[bytes, list[bytes]] | None:
    """Split a line into verb (upper case) and arguments; None when it is no command."""
    verb, _, rest = line.partition(b" ")
    verb = verb.upper()
    if verb not in VERBS or rest.find(b"\r") >= 0:
        return None
    if not rest:
        return verb, []
    arguments = rest.split(b" ")
    if b"" in arguments:
        arguments = [argument for argument in arguments if argument]
    return None if len(arguments) > MAX_ARGUMENTS else (verb, arguments)


def parse_reply_line(line: bytes) -> tuple[bytes, bool] | None:
    """Split a reply line into its code and whether more lines follow; None when it is no reply."""
    return _parse_reply_head(line[:4])


@lru_cache(maxsize=256)
def _parse_reply_head(head: bytes) -> tuple[bytes, bool] | None:
    # a login reads half a dozen replies, and servers use few codes
    found = _REPLY.match(head)
    return None if found is None else (found[1], found[2] == b"-")


_CONTINUED = re.compile(rb"(?:[2-5]\d\d-[^\n]*\n)*")


def continued_lines(octets: bytes) -> bytes:
    """Give the whole lines at the beginning that are a reply's, but not its last."""
    found = _CONTINUED.match(octets)
    return found[0] if found is not None else b""


_OFFER = re.compile(rb"250[ -]AUTH[ =]([^\r\n]*)", re.IGNORECASE)


def offered_mechanisms(line: bytes) -> list[bytes] | None:
    """Give the mechanisms an EHLO reply line offers, in upper case; None for any other line.

    ``AUTH=`` is how servers wrote it before RFC 2554, and some still do.
    """
    found = _OFFER.match(line)
    return None if found is None else found[1].upper().split()
