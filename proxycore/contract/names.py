"""Which of a server block's names is its own, and which only choose it (SNI)."""

from collections.abc import Iterable
from typing import Final

NOBODY: Final = "_"
"""A name nobody has: first in a list, it leaves greetings to the host's name."""


def is_wildcard(name: str) -> bool:
    """Tell whether a name stands for others: ``*``, ``*.example.com``, ``mail.*``."""
    return name.startswith("*") or name.endswith(".*")


def primary_name(names: Iterable[str]) -> str:
    """Give the name for greetings; empty means the host's.

    It is the first that is no wildcard, ``.example.com`` without its dot (directives.md §3).
    """
    own = next((name.removeprefix(".") for name in names if name and not is_wildcard(name)), "")
    return "" if own == NOBODY else own
