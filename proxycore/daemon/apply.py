"""What has to happen to the listening sockets when one snapshot follows another.

Pure: the supervisor does what the plan says. A socket both snapshots name is never touched, so
connections waiting in its queue survive (ADR-0005).
"""

from dataclasses import dataclass

from proxycore.contract.binding import Binding, bindings
from proxycore.contract.snapshot import Listen, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A socket to open, and the setting that asks for it (for an error the operator can find)."""

    listen: Listen
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The difference between two snapshots, as far as sockets go. Keys are ``Listen.key``."""

    opened: tuple[Opening, ...]
    closed: tuple[str, ...]
    kept: tuple[str, ...]
    changed: tuple[tuple[Listen, Listen], ...]
    """Kept sockets with other options than before: the former ones, and the new."""


def plan(old: Snapshot | None, new: Snapshot) -> Plan:
    """Compare what is open for ``old`` (None: nothing) with what ``new`` wants."""
    before: dict[str, Binding] = {} if old is None else bindings(old)
    after = bindings(new)
    kept = tuple(key for key in after if key in before)
    return Plan(
        opened=tuple(
            Opening(listen=one.listen, path=one.path)
            for key, one in after.items()
            if key not in before
        ),
        closed=tuple(key for key in before if key not in after),
        kept=kept,
        changed=tuple(
            (before[key].listen, after[key].listen)
            for key in kept
            if before[key].listen != after[key].listen
        ),
    )
