"""Waiting for a condition by asking for it, with a deadline; never by sleeping for luck."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE_S = 0.02


def eventually(
    probe: Callable[[], T | None],
    what: str,
    *,
    within_s: float = 10.0,
    tolerate: tuple[type[Exception], ...] = (OSError,),
) -> T:
    """Ask ``probe`` until it answers something true, and give that answer.

    Raises AssertionError naming ``what`` (and the last tolerated exception) after ``within_s``.
    """
    deadline = time.monotonic() + within_s
    last: Exception | None = None
    while True:
        try:
            answer = probe()
            if answer:
                return answer
            last = None
        except tolerate as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {what}") from last
        time.sleep(_PAUSE_S)
