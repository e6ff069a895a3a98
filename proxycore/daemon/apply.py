"""What has to happen to the listening sockets when one snapshot follows another.

Pure: the supervisor does what the plan says. A socket both snapshots name is never touched, so
connections waiting in its queue survive (ADR-0005).
"""

from dataclasses import dataclass

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
    resized: tuple[Listen, ...]
    """Kept sockets whose queue gets another length; the kernel takes that on a live socket."""


def plan(old: Snapshot | None, new: Snapshot) -> Plan:
    """Compare what is open for ``old`` (None: nothing) with what ``new`` wants."""
    before = {} if old is None else {key: listen for key, (listen, _) in _named(old).items()}
    after = _named(new)
    kept = tuple(key for key in after if key in before)
    return Plan(
        opened=tuple(
            Opening(listen=listen, path=path)
            for key, (listen, path) in after.items()
            if key not in before
        ),
        closed=tuple(key for key in before if key not in after),
        kept=kept,
        resized=tuple(after[key][0] for key in kept if after[key][0] != before[key]),
    )


def _named(snapshot: Snapshot) -> dict[str, tuple[Listen, str]]:
    return {
        listen.key: (listen, f"servers[{i}].listens[{j}]")
        for i, server in enumerate(snapshot.servers)
        for j, listen in enumerate(server.listens)
    }
