"""Text from outside on its way into the database, and out into somebody's spreadsheet."""

from typing import Final

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")
"""What a spreadsheet takes for the beginning of a formula, and what marks that it is none."""


def storable(value: str, length: int) -> str:
    """Give the text as every database of ours can store it: PostgreSQL takes no NUL."""
    return value.replace("\x00", "?")[:length]


def inert_cell(text: str) -> str:
    """Give a cell of a CSV file that no spreadsheet calculates (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(FORMULA) else text
