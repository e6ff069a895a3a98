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
from itertools import pairwise
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
            "This pattern leaves too much open to be tried quickly, and every login would wait for"
            " it. Use * and + twice at most, or say how many: [0-9]{1,4} instead of [0-9]+."
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
            if not _is_unambiguous(body):
                raise ValueError(
                    "A choice or repetition inside a repeated group can take minutes on one login,"
                    " so it is not allowed. Repeat single characters, [a-z.-]+ instead of"
                    " ([a-z]+[.-])+, or end each round by a character that is nowhere else in it,"
                    " as in ([0-9]+-)*."
                )
            inner = MAX_LOGIN_CHARS + 1
        return inner * (min(int(most), MAX_LOGIN_CHARS) - min(int(least), MAX_LOGIN_CHARS) + 1)
    raise ValueError(
        "Look-around “(?=…)”, conditions and back-references “\\1” are not allowed: they can take"
        " minutes on one login. Write two routes instead."
    )


def _is_unambiguous(body: Any) -> bool:
    """Tell whether there is one way only for rounds of a repeated group to take a text.

    So it is for single characters of which some are repeated, when each repeated one is followed
    by one that it cannot be itself, the last of the round included.
    """
    while len(body) == 1 and body[0][0] is codes.SUBPATTERN:
        body = body[0][1][-1]
    items = [_characters(code, argument) for code, argument in body]
    if not items or items[-1] is None or items[-1][1]:
        return False
    for item, behind in pairwise(items):
        if item is None or behind is None:
            return False
        if item[1] and (behind[1] or item[0] & behind[0]):
            return False
    return True


def _characters(code: Any, argument: Any) -> tuple[frozenset[int], bool] | None:
    """Give the ASCII characters that an item takes, and whether it is repeated; None: unknown."""
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT) and len(argument[2]) == 1:
        inner = _characters(*argument[2][0])
        return None if inner is None or inner[1] or argument[0] < 1 else (inner[0], True)
    if code is codes.LITERAL and argument < 128:
        return frozenset((argument,)), False
    if code is codes.IN:
        taken: set[int] = set()
        for kind, what in argument:
            if kind is codes.LITERAL and what < 128:
                taken.add(what)
            elif kind is codes.RANGE and what[1] < 128:
                taken.update(range(what[0], what[1] + 1))
            else:
                return None
        return frozenset(taken), False
    return None
