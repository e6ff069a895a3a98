"""One cell of a CSV file, out and in. No database here.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, which an
attacker can have written by choosing his login. Such cells go out behind an apostrophe, and come
in without it (OWASP, CSV injection).
"""

from datetime import UTC, datetime
from typing import Final

from django.utils import timezone

from appliance.lib.text import FORMULA, inert_cell

_YES: Final = {"yes", "on", "true", "1"}
_NO: Final = {"no", "off", "false", "0"}


def escape(text: str) -> str:
    """Give a cell that no spreadsheet calculates."""
    return inert_cell(text)


def unescape(text: str) -> str:
    """Undo ``escape``."""
    return text[1:] if text[:1] == "'" and text[1:2] in FORMULA and text[1:] else text


def read_switch(text: str) -> bool:
    """Read yes or no. Raises ValueError."""
    folded = text.strip().lower()
    if folded in _YES or folded in _NO:
        return folded in _YES
    raise ValueError("Write yes or no.")


def write_switch(value: bool) -> str:
    """Write yes or no."""
    return "yes" if value else "no"


def read_moment(text: str) -> datetime | None:
    """Read a date and time; without a zone it is the server's. Raises ValueError."""
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError("Write a time as 2026-11-22T12:00+00:00.") from None
    return timezone.make_aware(found) if timezone.is_naive(found) else found


def write_moment(value: datetime | None) -> str:
    """Write a date and time in UTC."""
    return "" if value is None else value.astimezone(UTC).isoformat()


def read_number(text: str) -> int:
    """Read a number. Raises ValueError."""
    if not (text.strip().isascii() and text.strip().isdigit() and len(text.strip()) < 10):
        raise ValueError("Write a number.")
    return int(text.strip())
