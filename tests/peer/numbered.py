"""Assertions that say which number of nginx's own test they are.

``tests/peer/test_numbers.py`` reads the numbers back and finds every one of every list.
"""

import re

from tests.support.talk import Talk


def like(number: int, got: str, pattern: str) -> None:
    """Assert that a line is like a pattern."""
    assert re.search(pattern, got), f"assertion {number}: {got!r} is not like {pattern!r}"


def unlike(number: int, got: str, pattern: str) -> None:
    """Assert that a line is not like a pattern."""
    assert not re.search(pattern, got), f"assertion {number}: {got!r} is like {pattern!r}"


def ok(number: int, talk: Talk) -> None:
    """Assert that the next line says yes."""
    like(number, talk.line(), talk.ok)


def holds(number: int, condition: object, what: object = "") -> None:
    """Assert something that is no line."""
    assert condition, f"assertion {number}: {what}"


def closed(number: int, talk: Talk) -> None:
    """Assert that nothing more comes and the connection ends."""
    rest = talk.rest()
    assert rest == "", f"assertion {number}: {rest!r} instead of the end"
