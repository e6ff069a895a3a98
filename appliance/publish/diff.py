"""What changed between two snapshots, in words. Secrets are compared and never shown."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from operator import attrgetter
from typing import Any, Final, Literal

from proxycore.contract.fields import settings_of
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthHttpHeader, ErrorLog, Listen, Server, Snapshot

_NAMES: Final = {
    Server: ("server block", attrgetter("name")),
    Listen: ("listener", attrgetter("key")),
    AuthHttpHeader: ("auth_http_header", attrgetter("name")),
    ErrorLog: ("error_log", attrgetter("target")),
}
"""What members of lists are called, and by what two of them are known to be the same."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference."""

    kind: Literal["added", "removed", "changed"]
    subject: str
    """Where it is, for instance ``server block "imap"``; empty for the whole node."""
    setting: str = ""
    """Name of the setting; empty when the subject itself came or went."""
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        where = f"{self.subject}: {self.setting}" if self.setting and self.subject else ""
        where = where or self.setting or self.subject
        if self.kind != "changed":
            return f"{where} {self.kind}"
        return f"{where} changed from {self.before} to {self.after}"


def compare(before: Snapshot, after: Snapshot) -> list[Change]:
    """List what has to be done to get from one snapshot to the other."""
    return list(_objects("", before, after))


def _objects(subject: str, before: Any, after: Any) -> Iterator[Change]:
    declared = settings_of(type(after))
    for field in fields(after):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old == new:
            continue
        if is_dataclass(new) and is_dataclass(old):
            yield from _objects(subject, old, new)
        elif isinstance(new, tuple) and any(is_dataclass(item) for item in (*old, *new)):
            yield from _members(subject, old, new)
        else:
            unit = declared[field.name].unit if field.name in declared else ""
            unit = unit if unit in ("ms", "bytes") else ""
            yield Change("changed", subject, field.name, _words(old, unit), _words(new, unit))


def _members(subject: str, before: tuple[Any, ...], after: tuple[Any, ...]) -> Iterator[Change]:
    kind, name_of = _NAMES[type((*before, *after)[0])]
    old, new = ({name_of(item): item for item in items} for items in (before, after))
    found = False
    for name in [*old, *(name for name in new if name not in old)]:
        here = f'{subject}, {kind} "{name}"' if subject else f'{kind} "{name}"'
        if name not in new:
            changes: list[Change] = [Change("removed", here)]
        elif name not in old:
            changes = [Change("added", here)]
        else:
            changes = list(_objects(here, old[name], new[name]))
        found = found or bool(changes)
        yield from changes
    if not found:
        order = [", ".join(map(str, items)) for items in (old, new)]
        yield Change("changed", subject, f"order of each {kind}", *order)


def _words(value: Any, unit: str) -> str:
    if isinstance(value, Secret):
        return Secret.MASK if value else "nothing"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " ".join(value) or "nothing"
    text = str(value) or "nothing"
    return f"{text} {unit}" if unit else text
