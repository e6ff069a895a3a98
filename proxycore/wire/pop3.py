"""POP3 commands before login (RFC 1939, RFC 2449, RFC 5034)."""

from typing import Final

VERBS: Final = frozenset({b"USER", b"PASS", b"APOP", b"QUIT", b"CAPA", b"AUTH", b"NOOP", b"STLS"})

MAX_ARGUMENTS: Final = 3


def parse(line: bytes) -> tuple[bytes, list[bytes]] | None:
    """Split a line into verb (upper case) and arguments; None when it is no command.

    USER and PASS have one argument: the rest of the line, inner and trailing spaces included.
    """
    verb, _, rest = line.partition(b" ")
    verb = verb.upper()
    if verb not in VERBS or rest.find(b"\r") >= 0:
        return None
    rest = rest.lstrip(b" ")
    if not rest:
        return verb, []
    if verb in _WHOLE_LINE:
        return verb, [rest]
    arguments = [argument for argument in rest.split(b" ") if argument]
    return None if len(arguments) > MAX_ARGUMENTS else (verb, arguments)


_WHOLE_LINE = frozenset({b"USER", b"PASS"})
