"""SMTP commands before login, and the replies of an SMTP server (RFC 5321 §4.1, §4.2)."""

import re
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

_LINE = re.compile(rb"([A-Za-z]{4,8})(?: +([^\r]*))?")
_REPLY = re.compile(rb"([2-5]\d\d)([ -]|\Z)")


def parse(line: bytes) -> tuple[bytes, list[bytes]] | None:
    """Split a line into verb (upper case) and arguments; None when it is no command."""
    found = _LINE.fullmatch(line)
    if found is None or (verb := found[1].upper()) not in VERBS:
        return None
    rest = found[2]
    if not rest:
        return verb, []
    arguments = [argument for argument in rest.split(b" ") if argument]
    return None if len(arguments) > MAX_ARGUMENTS else (verb, arguments)


def parse_reply_line(line: bytes) -> tuple[bytes, bool] | None:
    """Split a reply line into its code and whether more lines follow; None when it is no reply."""
    found = _REPLY.match(line)
    return None if found is None else (found[1], found[2] == b"-")


_OFFER = re.compile(rb"250[ -]AUTH[ =]([^\r\n]*)", re.IGNORECASE)


def offered_mechanisms(line: bytes) -> list[bytes] | None:
    """Give the mechanisms an EHLO reply line offers, in upper case; None for any other line.

    ``AUTH=`` is how servers wrote it before RFC 2554, and some still do.
    """
    found = _OFFER.match(line)
    return None if found is None else found[1].upper().split()
