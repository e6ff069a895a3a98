"""What is found when a login is explained, one thing at a time."""

from dataclasses import dataclass
from typing import Final

GOOD: Final = "success"
BAD: Final = "danger"
HELD: Final = "warning"
PLAIN: Final = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was found."""

    text: str
    tone: str = PLAIN
    why: str = ""
    link: str = ""
