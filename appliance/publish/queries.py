"""Read revisions: which is active, what is in one, what would change."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

from django.utils import timezone

from appliance.lib.vault import Undecryptable
from appliance.publish import conf, draft, registry
from appliance.publish.diff import Change, compare
from appliance.publish.draft import Draft, DraftProblem
from appliance.publish.models import Candidate, ConfigRevision
from appliance.publish.parts import part_of
from proxycore.contract.codec import Invalid
from proxycore.contract.snapshot import Server, Snapshot, from_plain

ASKED_FOR: Final = timedelta(minutes=2)
"""So long a candidate is sent to nodes that have not answered; then nobody is looking any more."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What publishing would do now."""

    draft: Draft
    before: Snapshot
    """What is published now."""
    changes: tuple[Change, ...] = ()

    @property
    def problems(self) -> tuple[DraftProblem, ...]:
        """Give what stands in the way."""
        return self.draft.problems

    def __bool__(self) -> bool:
        return bool(self.changes or self.problems)


@dataclass(frozen=True, slots=True)
class Rollout:
    """How the published revision fares on all nodes. It is in force where it is acknowledged."""

    number: int
    """0 while nothing is published."""
    lines: tuple[registry.StatusLine, ...]

    def count(self, state: str) -> int:
        """Count the nodes of a state."""
        return sum(line.state == state for line in self.lines)

    @property
    def is_served(self) -> bool:
        """Tell whether any node is connected; the others may serve, and nobody sees what."""
        return any(line.state != "away" for line in self.lines)

    @property
    def is_settled(self) -> bool:
        """Tell whether every connected node has answered."""
        return not self.count("waiting")

    @property
    def label(self) -> str:
        """Say in two or three words how far it is."""
        total, running, refused = len(self.lines), self.count("running"), self.count("refused")
        if refused:
            return f"refused by {refused} of {total} nodes"
        if not total:
            return "on no node"
        return "running" if running == total else f"on {running} of {total} nodes"

    @property
    def tone(self) -> str:
        """Give the colour of the label."""
        if self.count("refused") or not self.is_served:
            return "danger"
        return "success" if self.count("running") == len(self.lines) else "warning"


def current() -> ConfigRevision | None:
    """Give the active revision without its document, or None before the first one."""
    return ConfigRevision.objects.filter(is_active=True).defer("document").first()


def candidate() -> Candidate | None:
    """Give what nodes are, or were, asked about, without its document."""
    return Candidate.objects.defer("document").first()


def is_open(candidate: Candidate) -> bool:
    """Tell whether nodes are still asked about a candidate."""
    return timezone.now() - candidate.asked_at < ASKED_FOR


def document(revision: ConfigRevision | Candidate) -> dict[str, Any]:
    """Give the document with its secrets in clear: for nodes, not for eyes."""
    plain: dict[str, Any] = json.loads(revision.document.reveal())
    return plain


def snapshot(revision: ConfigRevision) -> Snapshot:
    """Give a revision as a snapshot."""
    return from_plain(document(revision))


def running(number: int, digest: str) -> Snapshot | None:
    """Give what a node says it runs: its part of a revision.

    None when that is none of ours, or cannot be read.
    """
    revision = ConfigRevision.objects.filter(number=number).first()
    group = revision.group_of(digest) if revision is not None else None
    if revision is None or group is None:
        return None
    try:
        return part_of(snapshot(revision), group)
    except (Invalid, Undecryptable):
        return None


def servers_of(number: int, digest: str) -> tuple[Server, ...]:
    """Give the server blocks that a node runs; none when that cannot be said."""
    found = running(number, digest)
    return found.servers if found is not None else ()


def groups_of_blocks(revision: ConfigRevision | None) -> Sequence[tuple[str, tuple[str, ...]]]:
    """Give ``server_groups`` of a revision; nothing, and at no cost, where it names no group."""
    if revision is None or not revision.parts:
        return ()
    return _groups_of_blocks(revision.number, revision.digest)


@lru_cache(maxsize=4)
def _groups_of_blocks(number: int, _digest: str) -> Sequence[tuple[str, tuple[str, ...]]]:
    # revisions never change, and to read one means to decrypt it
    return server_groups(number)


def server_groups(number: int) -> list[tuple[str, tuple[str, ...]]]:
    """Give the names of a revision's server blocks, with the groups of nodes they are for."""
    revision = ConfigRevision.objects.filter(number=number).first()
    return [(server.name, server.groups) for server in readable(revision).servers]


def previous(revision: ConfigRevision) -> ConfigRevision | None:
    """Give the revision published before this one."""
    return ConfigRevision.objects.filter(number__lt=revision.number).order_by("-number").first()


def changes_of(revision: ConfigRevision) -> list[Change]:
    """Say what a revision changed against the one before it."""
    return compare(readable(previous(revision)), readable(revision))


def conf_of(revision: ConfigRevision) -> list[conf.Line] | None:
    """Say it as nginx.conf; None when that would be too long."""
    return conf.difference(readable(previous(revision)), readable(revision))


def is_pending() -> bool:
    """Tell whether the draft differs from what is published. Cheap: no document is read."""
    now = draft.build()
    if now.snapshot is None:
        return True
    active = current()
    if active is None:
        return bool(now.snapshot.servers)
    return now.snapshot.digest() != active.digest


def pending() -> Pending:
    """Say what publishing would change, or what stands in its way."""
    now = draft.build()
    active = ConfigRevision.objects.filter(is_active=True).first()
    before = readable(active)
    if now.readable is None or (active is None and not now.readable.servers):
        return Pending(now, before)
    return Pending(now, before, tuple(compare(before, now.readable)))


def readable(revision: ConfigRevision | None) -> Snapshot:
    """Give a revision for comparison.

    One that an older contract accepted and this one does not counts as empty, so that the page to
    publish a better one can still be shown; so does one whose key is lost.
    """
    try:
        return snapshot(revision) if revision else Snapshot()
    except (Invalid, Undecryptable):
        return Snapshot()


def is_readable(revision: ConfigRevision) -> bool:
    """Tell whether we have the key a revision is encrypted with."""
    try:
        document(revision)
    except Undecryptable:
        return False
    return True


def rollout() -> Rollout:
    """Say how the published revision fares, as the other apps report it."""
    active = current()
    number = active.number if active else 0
    return Rollout(number, tuple(registry.status_lines(number)))


def changes_by_roll_back(revision: ConfigRevision) -> list[Change]:
    """Say what publishing a revision again would change. Raises Invalid."""
    active = ConfigRevision.objects.filter(is_active=True).first()
    return compare(readable(active), snapshot(revision))
