"""What publishing does on a node: its listening sockets, its server blocks, its certificates.

Pure. Sockets are those the node's own plan comes to (contract.binding), so the page says what will
be done and not what was edited.
"""

from dataclasses import dataclass
from typing import Literal

from appliance.publish.diff import Change, certificate_changes
from proxycore.contract.binding import Binding, bindings
from proxycore.contract.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Socket:
    """One listening socket."""

    key: str
    """``Listen.key``, for instance ``*:143``."""
    note: str
    """Whose it is, and what changes about it."""


@dataclass(frozen=True, slots=True)
class Block:
    """One server block that is not what it was."""

    kind: Literal["added", "removed", "changed"]
    name: str


@dataclass(frozen=True, slots=True)
class Effects:
    """What happens on a node that runs one snapshot and is given another."""

    opened: tuple[Socket, ...]
    closed: tuple[Socket, ...]
    kept: tuple[Socket, ...]
    blocks: tuple[Block, ...]
    untouched: int
    """How many blocks stay as they are."""
    certificates: tuple[Change, ...]
    is_process_changed: bool

    def __bool__(self) -> bool:
        return bool(self.opened or self.closed or self.blocks or self.is_process_changed)


def effects(before: Snapshot, after: Snapshot) -> Effects:
    """Say what becomes of a node that runs ``before`` (nothing: an empty one)."""
    old, new = bindings(before), bindings(after)
    was = {server.name: server for server in before.servers}
    now = {server.name: server for server in after.servers}
    common = [name for name in now if name in was]
    changed = [name for name in common if was[name] != now[name]]
    return Effects(
        opened=tuple(Socket(key, _users(after, one)) for key, one in new.items() if key not in old),
        closed=tuple(
            Socket(key, _users(before, one)) for key, one in old.items() if key not in new
        ),
        kept=tuple(
            Socket(key, _kept(before, old[key], after, one))
            for key, one in new.items()
            if key in old
        ),
        blocks=(
            *(Block("added", name) for name in now if name not in was),
            *(Block("removed", name) for name in was if name not in now),
            *(Block("changed", name) for name in changed),
        ),
        untouched=len(common) - len(changed),
        certificates=tuple(
            change for name in changed for change in certificate_changes(was[name], now[name])
        ),
        is_process_changed=before.process != after.process,
    )


def _users(snapshot: Snapshot, binding: Binding) -> str:
    """Name the blocks that take connections from a socket, the default one first."""
    numbers = [binding.server, *binding.sharing]
    for one in binding.covered.values():
        numbers += [one.server, *one.sharing]
    return ", ".join(dict.fromkeys(snapshot.servers[number].name for number in numbers))


def _kept(before: Snapshot, old: Binding, after: Snapshot, new: Binding) -> str:
    was, now = _users(before, old), _users(after, new)
    note = now if was == now else f"{now}, before {was}"
    return note if old.listen == new.listen else f"{note}; its options change while it is open"
