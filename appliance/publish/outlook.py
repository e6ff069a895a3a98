"""What publishing the draft would do, and where: the middle of the Publish page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from appliance.publish import conf, queries
from appliance.publish.effects import Effects, effects
from appliance.publish.parts import part_of
from appliance.publish.registry import Destination
from proxycore.contract.snapshot import Snapshot

NAMES_SHOWN: Final = 12
"""Nodes named in one sentence; of the others the number is told."""

MAX_GROUPS: Final = 4
"""Revisions that nodes run, whose differences are worked out for one page."""


@dataclass(frozen=True, slots=True)
class Group:
    """Nodes that run the same, so that the same happens on all of them."""

    nodes: Sequence[Destination]
    revision: int
    effects: Effects | None
    """None when it is not known what they run."""

    @property
    def shown(self) -> Sequence[Destination]:
        """Give those that are named."""
        return self.nodes[:NAMES_SHOWN]

    @property
    def more(self) -> int:
        """Count those that are not named."""
        return max(0, len(self.nodes) - NAMES_SHOWN)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would change as nginx.conf, and on which nodes."""

    conf: list[conf.Line] | None
    """None when the files are too long to be compared."""
    groups: Sequence[Group]
    away: Group
    """Nodes that are not connected: they take it when they are."""
    idle: Group
    """Nodes that no server block is for: they would listen nowhere."""
    unserved: Sequence[str]
    """Server blocks for groups that no node is in."""


def outlook(pending: queries.Pending, destinations: Sequence[Destination]) -> Outlook:
    """Say what publishing would do. ``pending`` needs a draft that can be published."""
    draft = pending.draft.snapshot
    assert draft is not None
    away = [one for one in destinations if not one.is_connected]
    parts = {one.group: part_of(draft, one.group) for one in destinations}
    unserved = [
        server.name
        for server in draft.servers
        if server.groups and not any(group in parts for group in server.groups)
    ]
    idle = [one for one in destinations if not parts[one.group].servers]
    by_step: dict[tuple[int, str, str], list[Destination]] = {}
    for one in destinations:
        if one.is_connected:
            step = (one.revision, one.digest, parts[one.group].digest())
            by_step.setdefault(step, []).append(one)
    ranked = sorted(by_step.items(), key=lambda item: -len(item[1]))
    groups = [
        Group(
            nodes,
            number,
            _effects(number, digest, parts[nodes[0].group]) if rank < MAX_GROUPS else None,
        )
        for rank, ((number, digest, _), nodes) in enumerate(ranked)
    ]
    return Outlook(
        conf.difference(pending.before, draft),
        groups,
        Group(away, 0, None),
        Group(idle, 0, None),
        unserved,
    )


def _effects(number: int, digest: str, part: Snapshot) -> Effects | None:
    if not number:
        return effects(Snapshot(), part)
    before = queries.running(number, digest)
    return effects(before, part) if before is not None else None
