"""What publishing the draft would do, and where: the middle of the Publish page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from appliance.publish import conf, queries
from appliance.publish.effects import Effects, effects
from appliance.publish.models import ConfigRevision
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


def outlook(pending: queries.Pending, destinations: Sequence[Destination]) -> Outlook:
    """Say what publishing would do. ``pending`` needs a draft that can be published."""
    draft = pending.draft.snapshot
    assert draft is not None
    away = [one for one in destinations if not one.is_connected]
    by_revision: dict[tuple[int, str], list[Destination]] = {}
    for one in destinations:
        if one.is_connected:
            by_revision.setdefault((one.revision, one.digest), []).append(one)
    ranked = sorted(by_revision.items(), key=lambda item: -len(item[1]))
    groups = [
        Group(nodes, number, _effects(number, digest, draft) if rank < MAX_GROUPS else None)
        for rank, ((number, digest), nodes) in enumerate(ranked)
    ]
    return Outlook(conf.difference(pending.before, draft), groups, Group(away, 0, None))


def _effects(number: int, digest: str, draft: Snapshot) -> Effects | None:
    if not number:
        return effects(Snapshot(), draft)
    revision = ConfigRevision.objects.filter(number=number, digest=digest).first()
    return effects(queries.readable(revision), draft) if revision else None
