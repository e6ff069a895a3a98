"""Read revisions: which is active, what is in one, what would change."""

import json
from dataclasses import dataclass
from typing import Any

from appliance.publish import draft, registry
from appliance.publish.diff import Change, compare
from appliance.publish.draft import DraftProblem
from appliance.publish.models import ConfigRevision
from proxycore.contract.codec import Invalid
from proxycore.contract.snapshot import Snapshot, from_plain


@dataclass(frozen=True, slots=True)
class Pending:
    """What publishing would do now."""

    changes: tuple[Change, ...] = ()
    problems: tuple[DraftProblem, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes or self.problems)


def current() -> ConfigRevision | None:
    """Give the active revision without its document, or None before the first one."""
    return ConfigRevision.objects.filter(is_active=True).defer("document").first()


def document(revision: ConfigRevision) -> dict[str, Any]:
    """Give a revision's document with its secrets in clear: for nodes, not for eyes."""
    plain: dict[str, Any] = json.loads(revision.document.reveal())
    return plain


def snapshot(revision: ConfigRevision) -> Snapshot:
    """Give a revision as a snapshot."""
    return from_plain(document(revision))


def previous(revision: ConfigRevision) -> ConfigRevision | None:
    """Give the revision published before this one."""
    return ConfigRevision.objects.filter(number__lt=revision.number).order_by("-number").first()


def changes_of(revision: ConfigRevision) -> list[Change]:
    """Say what a revision changed against the one before it."""
    return compare(_readable(previous(revision)), _readable(revision))


def is_pending() -> bool:
    """Tell whether the draft differs from what is published. Cheap: no document is read."""
    now = draft.build()
    if now.snapshot is None:
        return True
    active = current()
    digest = active.digest if active else Snapshot().digest()
    return now.snapshot.digest() != digest


def pending() -> Pending:
    """Say what publishing would change, or what stands in its way."""
    now = draft.build()
    if now.snapshot is None:
        return Pending(problems=now.problems)
    active = ConfigRevision.objects.filter(is_active=True).first()
    return Pending(changes=tuple(compare(_readable(active), now.snapshot)))


def _readable(revision: ConfigRevision | None) -> Snapshot:
    """Give a revision for comparison. One that an older contract accepted and this one does not
    counts as empty, so that the page to publish a better one can still be shown."""
    try:
        return snapshot(revision) if revision else Snapshot()
    except Invalid:
        return Snapshot()


def status_lines(number: int) -> list[registry.StatusLine]:
    """Say how the active revision fares, as the other apps report it."""
    return registry.status_lines(number)
