"""IMAP commands before login, as nginx reads them, without its faults.

A command is a tag, a verb and up to three arguments, or ID and its list, which nginx does not
know; an argument is an atom, a quoted string or a literal, synchronizing (``{5}``, we answer
``+``) or not (``{5+}``, RFC 7888). A quote left open ends with its line, ``{0}`` is an empty
argument, and a line that is no command but announces a non-synchronizing literal closes the
session: its octets must not be taken for commands.
"""

import re
from functools import lru_cache
from typing import Final, final

from proxycore.wire.inbox import Inbox, LineTooLong

VERBS: Final = frozenset(
    {b"NOOP", b"LOGIN", b"LOGOUT", b"STARTTLS", b"CAPABILITY", b"AUTHENTICATE"}
)

MAX_ARGUMENTS: Final = 3

MAX_TAG_BYTES: Final = 32

_TAG = re.compile(rb"([A-Za-z0-9._-]{0,32}) ")
_HEAD = re.compile(rb"([A-Za-z0-9._-]{0,32}) +([A-Za-z]+)(?= |\Z)")
_ARGUMENT = re.compile(
    rb' +(?:"([^"\\\r]*(?:\\[^\r][^"\\\r]*)*)"'  # 1: quoted
    rb"|\{(\d{1,10})(\+?)\}\Z"  # 2, 3: literal, only at the end of a line
    rb'|([^ "{\r][^ \r]*)'  # 4: atom
    rb")(?= |\Z)"
)
_SIMPLE = re.compile(
    rb"([A-Za-z0-9._-]{0,32}) ([A-Za-z]+)"
    rb'(?: ([^ "{\r][^ \r]*|"[^"\\\r]*"))?(?: ([^ "{\r][^ \r]*|"[^"\\\r]*"))?'
)
"""Nearly every command that is sent: single spaces, no escapes, no literals. A match saves a
microsecond of the two a login costs below; ``_HEAD`` and ``_ARGUMENT`` read it the same."""
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)

_STRING = rb'"[^"\\\r\0]*(?:\\[^\r\0][^"\\\r\0]*)*"'
_ID_LIST = re.compile(
    rb" +(NIL|\((?:%b (?:NIL|%b)(?: %b (?:NIL|%b)){0,29})?\)) *" % ((_STRING,) * 4),
    re.IGNORECASE,
)
"""The argument of ID (RFC 2971 §3.1), at most 30 pairs. Literals, which nobody sends here, are
refused: the list is kept to be passed on as it came."""


@final
class Command:
    """A complete command."""

    __slots__ = ("arguments", "tag", "verb")

    def __init__(self, tag: bytes, verb: bytes, arguments: list[bytes]) -> None:
        self.tag = tag
        self.verb = verb
        self.arguments = arguments


@final
class Malformed:
    """A line that is no command. ``tag`` is empty unless it was recognised."""

    __slots__ = ("line", "tag")

    def __init__(self, tag: bytes, line: bytes) -> None:
        self.tag = tag
        self.line = line

    @property
    def hides_literal(self) -> bool:
        """Literal octets follow that nobody can tell from commands."""
        return self.line.rstrip(b" ").endswith(b"+}")


@final
class GoAhead:
    """A synchronizing literal was announced and is waited for."""

    __slots__ = ()


GO_AHEAD: Final = GoAhead()


def parse_simple(line: bytes) -> Command | None:
    """Read a command of the usual shape; None for every other line, malformed or not."""
    words = line.split(b" ")
    if len(words) == 4 and line.find(b'"') < 0:
        # a LOGIN without quotes: half of what the pattern takes
        tag, verb, first, second = words
        if (
            (verb := verb.upper()) == b"LOGIN"
            and tag.isalnum()
            and len(tag) <= MAX_TAG_BYTES
            and first
            and second
            and line.find(b"{") < 0
            and line.find(b"\r") < 0
        ):
            return Command(tag, verb, [first, second])
    found = _SIMPLE.fullmatch(line)
    if found is None:
        return None
    verb = found[2].upper()
    if verb not in VERBS:
        return None
    # what is in `words` cannot be None, what is matched can: other names, for other types
    tag, one, two = found[1], found[3], found[4]
    if one is None:
        return Command(tag, verb, [])
    if one[0] == 34:
        one = one[1:-1]
    if two is None:
        return Command(tag, verb, [one])
    return Command(tag, verb, [one, two[1:-1] if two[0] == 34 else two])


class CommandReader:
    """Read commands off an inbox, remembering one that spans several lines."""

    __slots__ = ("_arguments", "_literal_bytes", "_tag", "_used_bytes", "_verb")

    def __init__(self) -> None:
        self._tag = b""
        self._verb = b""
        self._arguments: list[bytes] = []
        self._literal_bytes = -1
        self._used_bytes = 0

    def read(self, inbox: Inbox, limit_bytes: int) -> Command | Malformed | GoAhead | None:
        """Give the next command, or None while it is incomplete.

        limit_bytes: most octets of one command, all its lines and literals together.
        Raises LineTooLong; for a literal as soon as its announced size cannot fit.
        """
        if self._used_bytes:
            return self._read_on(inbox, limit_bytes)
        line = inbox.take_line(limit_bytes)
        if line is None:
            return None
        return parse_simple(line) or self._read_first(line, inbox, limit_bytes)

    def announced_tag(self, inbox: Inbox) -> bytes:
        """Give the tag of the command being read, complete or not; empty if there is none."""
        if self._used_bytes:
            return self._tag
        found = _TAG.match(inbox.peek(MAX_TAG_BYTES + 1))
        return found[1] if found else b""

    def _read_first(
        self, line: bytes, inbox: Inbox, limit_bytes: int
    ) -> Command | Malformed | GoAhead | None:
        head = _HEAD.match(line)
        if head is not None and head[2].upper() == b"ID":
            given = _ID_LIST.fullmatch(line, head.end())
            return Command(head[1], b"ID", [given[1]]) if given else self._refuse(head[1], line)
        if head is None or (verb := head[2].upper()) not in VERBS:
            tag = _TAG.match(line)
            return self._refuse(tag[1] if tag else b"", line)
        self._tag, self._verb, self._arguments = head[1], verb, []
        return self._read_arguments(line, head.end(), inbox, limit_bytes)

    def _read_on(self, inbox: Inbox, limit_bytes: int) -> Command | Malformed | GoAhead | None:
        if self._literal_bytes >= 0:
            literal = inbox.take(self._literal_bytes)
            if literal is None:
                return None
            self._arguments.append(literal)
            self._used_bytes += self._literal_bytes
            self._literal_bytes = -1
        line = inbox.take_line(limit_bytes - self._used_bytes)
        if line is None:
            return None
        return self._read_arguments(line, 0, inbox, limit_bytes)

    def _read_arguments(
        self, line: bytes, position: int, inbox: Inbox, limit_bytes: int
    ) -> Command | Malformed | GoAhead | None:
        self._used_bytes += len(line) + 2
        line = line.rstrip(b" ")
        end, arguments = len(line), self._arguments
        while position < end:
            found = _ARGUMENT.match(line, position)
            if found is None or len(arguments) == MAX_ARGUMENTS:
                return self._refuse(self._tag, line)
            kind = found.lastindex
            if kind == 4:
                arguments.append(found[4])
            elif kind == 1:
                text = found[1]
                arguments.append(_ESCAPE.sub(rb"\1", text) if b"\\" in text else text)
            else:
                return self._await_literal(int(found[2]), bool(found[3]), inbox, limit_bytes)
            position = found.end()
        self._used_bytes = 0
        return Command(self._tag, self._verb, arguments)

    def _await_literal(
        self, size_bytes: int, unasked: bool, inbox: Inbox, limit_bytes: int
    ) -> Command | Malformed | GoAhead | None:
        # asking for octets that cannot be taken would only waste the client's time
        if self._used_bytes + size_bytes >= limit_bytes:
            raise LineTooLong
        self._literal_bytes = size_bytes
        # at most three arguments, so at most three deep
        return self._read_on(inbox, limit_bytes) if unasked else GO_AHEAD

    def _refuse(self, tag: bytes, line: bytes) -> Malformed:
        self._used_bytes = 0
        return Malformed(tag, line)


_CODE = re.compile(rb"\* OK \[CAPABILITY ([^\]\r\n]*)\]", re.IGNORECASE)


@lru_cache(maxsize=256)
def greeted_capabilities(line: bytes) -> tuple[bytes, ...]:
    """Give the capabilities a server tells in its greeting (RFC 3501 §7.1), spelt as it does.

    Remembered: mail servers are few, and nearly each greets everybody in the same words.
    """
    found = _CODE.match(line)
    return tuple(found[1].split()) if found else ()


_NEEDS_LITERAL = re.compile(rb"[\x00\r\n]")
_SPECIAL = re.compile(rb'["\\\x00\r\n]')

MAX_QUOTED_BYTES: Final = 400
"""Two of these stay far below the 1,000 octets a command line should have (RFC 2683 §3.2.1.5)."""


def quote(value: bytes) -> bytes | None:
    """Give the value as a quoted string; None when only a literal can carry it.

    Source: RFC 3501 §9, ``quoted``: no NUL, CR, LF and nothing above 0x7F.
    """
    if not value.isascii() or len(value) > MAX_QUOTED_BYTES:
        return None
    if _SPECIAL.search(value) is None:
        return b'"%b"' % value
    if _NEEDS_LITERAL.search(value) is not None:
        return None
    return b'"%b"' % _SPECIAL.sub(rb"\\\g<0>", value)
