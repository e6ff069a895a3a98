"""The kinds of value a directive takes: how each is parsed and written back.

Parsers take the statement and raise ``Refused`` with nginx's words (directives.md §1.2, §1.3).
A writer gives the arguments that parse to the value again.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from proxycore.nginxconf.problems import Refused, Report
from proxycore.nginxconf.source import Statement

_MAX_INT: Final = 2**63 - 1
_DIGITS: Final = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Kind:
    """How values of one kind are parsed and written."""

    parse: Callable[[Statement, Report], Any]
    write: Callable[[Any], Iterable[str]]


def whole_number(text: str) -> int | None:
    """Read unsigned decimal digits as nginx's ``ngx_atoi``; None when they are not."""
    if _DIGITS.fullmatch(text) is None or int(text) > _MAX_INT:
        return None
    return int(text)


def parse_size(text: str) -> int | None:
    """Read a size in bytes with an optional ``k`` or ``m``; None when it is not one."""
    scale = {"k": 1024, "m": 1_048_576}.get(text[-1:].lower())
    number = whole_number(text[:-1] if scale else text)
    if number is None or number * (scale or 1) > _MAX_INT:
        return None
    return number * (scale or 1)


# --- time ---------------------------------------------------------------------------------------

_TIME_PART: Final = re.compile(r"([0-9]{0,19})(ms|[wdhms ])")
_UNIT_MS: Final = {
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
    " ": 1000,
}
_UNIT_RANK: Final = {"w": 1, "d": 2, "h": 3, "m": 4, "s": 5, "ms": 6, " ": 7}


def parse_time_ms(text: str) -> int | None:
    """Read a time as nginx's msec slots do; None when it is not one.

    Units descend; what is left over without a unit, or stands before a space, is seconds.
    ``y`` and ``M`` are refused in these slots (directives.md §1.3).
    """
    total_ms, rank, at = 0, 0, 0
    while (part := _TIME_PART.match(text, at)) is not None:
        number, unit = part.groups()
        # seconds given by a space may follow anything above seconds
        if rank >= (_UNIT_RANK["s"] if unit == " " else _UNIT_RANK[unit]):
            return None
        rank = _UNIT_RANK[unit]
        total_ms += int(number or "0") * _UNIT_MS[unit]
        at = part.end()
        while text.startswith(" ", at):
            at += 1
    rest = text[at:]
    if rest and whole_number(rest) is None:
        return None
    total_ms += int(rest or "0") * 1000
    if not any(char.isdigit() for char in text) or total_ms > _MAX_INT:
        return None
    return total_ms


def write_time_ms(value: int) -> str:
    """Write a time in the largest unit that loses nothing."""
    for unit in ("d", "h", "m", "s"):
        if value and value % _UNIT_MS[unit] == 0:
            return f"{value // _UNIT_MS[unit]}{unit}"
    return f"{value}ms"


# --- kinds --------------------------------------------------------------------------------------


def _parse_flag(statement: Statement, _: Report) -> bool:
    text = statement.args[0]
    if text.lower() not in ("on", "off"):
        raise Refused(
            f'invalid value "{text}" in "{statement.name}" directive, it must be "on" or "off"'
        )
    return text.lower() == "on"


def _parse_number(statement: Statement, _: Report) -> int:
    number = whole_number(statement.args[0])
    if number is None:
        raise Refused(f'"{statement.name}" directive invalid number')
    return number


def _parse_bytes(statement: Statement, _: Report) -> int:
    size = parse_size(statement.args[0])
    if size is None:
        raise Refused(f'"{statement.name}" directive invalid value')
    return size


def _parse_time(statement: Statement, _: Report) -> int:
    time_ms = parse_time_ms(statement.args[0])
    if time_ms is None:
        raise Refused(f'"{statement.name}" directive invalid value')
    return time_ms


def _parse_session_time(statement: Statement, report: Report) -> int:
    number = whole_number(statement.args[0])
    if number is not None and number >= 1000:
        report.warn(
            f'"{statement.name} {number}" means {number} seconds; did you mean "{number}ms"?',
            statement.place,
        )
    return _parse_time(statement, report)


def write_size(value: int) -> str:
    """Write a size in the largest unit that loses nothing."""
    for unit, scale in (("m", 1_048_576), ("k", 1024)):
        if value and value % scale == 0:
            return f"{value // scale}{unit}"
    return str(value)


FLAG: Final = Kind(_parse_flag, lambda value: ("on" if value else "off",))
NUMBER: Final = Kind(_parse_number, lambda value: (str(value),))
SIZE: Final = Kind(_parse_bytes, lambda value: (write_size(value),))
TIME: Final = Kind(_parse_time, lambda value: (write_time_ms(value),))
SESSION_TIME: Final = Kind(_parse_session_time, lambda value: (write_time_ms(value),))
"""A time whose default the seed prints in milliseconds, so that users mistake the unit."""
WORDS: Final = Kind(lambda statement, _: statement.args, lambda value: value)
TEXT: Final = Kind(lambda statement, _: statement.args[0], lambda value: (value,))


def choice(*known: str) -> Kind:
    """Give the kind of one word of a list (nginx's enum)."""

    def parse(statement: Statement, _: Report) -> str:
        word = statement.args[0].lower()
        if word not in known:
            raise Refused(f'invalid value "{statement.args[0]}"')
        return word

    return Kind(parse, lambda value: (value,))


TOKEN_MECHANISMS: Final = ("xoauth2", "oauthbearer")
"""Mechanisms that nginx does not know (they are freenginx's and Angie's)."""


def mechanisms(*nginx: str) -> Kind:
    """Give the kind of a bitmask of mechanisms, kept in the order they are announced.

    nginx: what nginx takes, in that order. We take tokens, too; a dump writes them apart.
    """
    known = (*nginx, *TOKEN_MECHANISMS)

    def parse(statement: Statement, report: Report) -> tuple[str, ...]:
        chosen: set[str] = set()
        for text in statement.args:
            word = text.lower()
            if word not in known:
                raise Refused(f'invalid value "{text}"')
            if word in chosen:
                report.warn(f'duplicate value "{text}"', statement.place)
            chosen.add(word)
        return tuple(word for word in known if word in chosen)

    return Kind(parse, lambda value: tuple(word for word in value if word in nginx))


TOKENS: Final = Kind(
    mechanisms().parse, lambda value: tuple(word for word in value if word in TOKEN_MECHANISMS)
)
