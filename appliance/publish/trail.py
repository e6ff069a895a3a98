"""What the audit trail is told of differences: settings, as the Publish page lists them."""

from collections.abc import Iterator, Sequence
from typing import Final

from appliance.audit import values as audit
from appliance.publish.diff import Change

_MOST: Final = 200
"""Differences in one entry; of more than these the number is told."""


def rows(changes: Sequence[Change]) -> list[audit.Change]:
    """Give differences as the audit trail keeps them."""
    found = [*_rows(changes[:_MOST])]
    if len(changes) > _MOST:
        found.append(("more", "", f"{len(changes) - _MOST} more differences"))
    return found


def _rows(changes: Sequence[Change]) -> Iterator[audit.Change]:
    for one in changes:
        where = ": ".join(filter(None, (one.subject, one.setting)))
        if one.sentence:
            yield where, "", audit.cut(one.sentence)
        elif one.kind == "changed":
            yield where, audit.cut(one.before), audit.cut(one.after)
        elif one.kind == "added":
            yield where, "", audit.cut(one.after) or "added"
        else:
            yield where, audit.cut(one.before) or "there", "removed"
