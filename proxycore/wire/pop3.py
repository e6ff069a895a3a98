"""POP3 commands before login (RFC 1939, RFC 2449, RFC 5034)."""

import re
from typing import Final

VERBS: Final = frozenset({b"USER", b"PASS", b"APOP", b"QUIT", b"CAPA", b"AUTH", b"NOOP", b"STLS"})

MAX_ARGUMENTS: Final = 3

_LINE = re.compile(rb"([A-Za-z]{4})(?: +([^\r]*))?")


def parse(line: bytes) -> tuple[bytes, list[bytes]] | None:
    """Split a line into verb (upper case) and arguments; None when it is no command.

    USER and PASS have one argument: the rest of the line, inner and trailing spaces included.
    """
    found = _LINE.fullmatch(line)
    if found is None or (verb := found[1].upper()) not in VERBS:
        return None
    rest = found[2]
    if not rest:
        return verb, []
    if verb in _WHOLE_LINE:
        return verb, [rest]
    arguments = [argument for argument in rest.split(b" ") if argument]
    return None if len(arguments) > MAX_ARGUMENTS else (verb, arguments)


_WHOLE_LINE = frozenset({b"USER", b"PASS"})
