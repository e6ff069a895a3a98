r"""Regular expressions that cannot run away.

Python's engine backtracks, so ``(a+)+$`` on thirty letters takes minutes and would stop every
login. Patterns are therefore restricted by syntax, when they are saved: the number of ways the
engine can try is the product of the choices a pattern leaves it (each repetition: the counts
possible; each alternation: its branches), and that product has a limit. What makes it grow with
the input, a choice inside a repetition, is refused, and so are look-around and back-references.
``[a-m].*@(north|south)\.example\.com`` and all like it are far below the limit.
"""

import re
from functools import lru_cache
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

MAX_PATTERN_CHARS: Final = 200
MAX_LOGIN_CHARS: Final = 256
"""A longer login fits no pattern. RFC 5321 allows 64 + 1 + 255, nobody uses them."""

MAX_WAYS: Final = 200_000
"""Two open repetitions and a little more: (256 + 1)² = 66,049. About 10 ms at the worst."""

_SINGLE: Final = {codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN, codes.AT, codes.CATEGORY}


def check(pattern: str) -> None:
    """Raise ValueError, in words for the operator, for a pattern that is wrong or not safe."""
    if len(pattern) > MAX_PATTERN_CHARS:
        raise ValueError(f"A pattern has {MAX_PATTERN_CHARS} characters at most.")
    try:
        tree = parser.parse(pattern)
    except (re.error, OverflowError, RecursionError) as fault:
        raise ValueError(f"Not a regular expression: {fault}.") from None
    if _ways(tree) > MAX_WAYS:
        raise ValueError(
            "This pattern leaves too much open to be tried quickly; use fewer * and + in it."
        )


def matches(pattern: str, text: str) -> bool:
    """Tell whether the whole text fits."""
    if len(text) > MAX_LOGIN_CHARS:
        return False
    return _compile(pattern).fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _compile(pattern: str) -> "re.Pattern[str]":
    return re.compile(pattern)


def _ways(tree: Any) -> int:
    ways = 1
    for code, argument in tree:
        ways *= _ways_of(code, argument)
    return ways


def _ways_of(code: Any, argument: Any) -> int:
    if code in _SINGLE:
        return 1
    if code is codes.SUBPATTERN:
        return _ways(argument[-1])
    if code is codes.BRANCH:
        return sum(_ways(branch) for branch in argument[1])
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        least, most, body = argument
        inner = _ways(body)
        if inner > 1 and most > 1:
            raise ValueError("A choice or repetition inside a repeated group is not allowed.")
        return inner * (min(int(most), MAX_LOGIN_CHARS) - min(int(least), MAX_LOGIN_CHARS) + 1)
    raise ValueError("Look-around, conditions and back-references are not allowed.")
