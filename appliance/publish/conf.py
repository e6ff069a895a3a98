"""Snapshots as nginx.conf, for eyes: secrets masked, and the difference of two of them."""

from dataclasses import dataclass
from difflib import unified_diff
from typing import Final, Literal

from proxycore.contract.snapshot import Snapshot
from proxycore.nginxconf import dump

MAX_LINES: Final = 20_000
"""Longer texts are not compared: difflib's time grows faster than their length."""

_CONTEXT: Final = 3
_KINDS: Final[dict[str, Literal["same", "added", "removed"]]] = {
    " ": "same",
    "+": "added",
    "-": "removed",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a difference."""

    kind: Literal["same", "added", "removed", "place"]
    """``place``: not a line, but which ones follow."""
    text: str


def text(snapshot: Snapshot) -> str:
    """Give a snapshot as nginx.conf with its secrets masked; keys are names of files anyway."""
    return dump(snapshot, reveal=False)


def difference(before: Snapshot, after: Snapshot) -> list[Line] | None:
    """Compare two snapshots as nginx.conf, with three lines around what differs.

    None when they are too long. Two that differ in a masked secret alone give no line.
    """
    old, new = (text(one).splitlines() if one.servers else [] for one in (before, after))
    if len(old) + len(new) > MAX_LINES:
        return None
    found = unified_diff(old, new, n=_CONTEXT, lineterm="")
    lines: list[Line] = []
    for number, line in enumerate(found):
        if number < 2:
            continue  # the names of the files, which there are none of
        if line.startswith("@@"):
            lines.append(Line("place", line))
        else:
            lines.append(Line(_KINDS[line[0]], line[1:]))
    return lines
