"""Publish the draft, roll back to an earlier revision, hand a revision to the nodes."""

import json
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from appliance.audit import services as audit
from appliance.audit.choices import Action
from appliance.lib import doorbell
from appliance.publish import draft, parts, queries, registry, trail
from appliance.publish.diff import compare
from appliance.publish.draft import DraftProblem
from appliance.publish.models import Candidate, ConfigRevision
from appliance.publish.parts import NO_GROUP
from proxycore.contract.snapshot import Snapshot, to_plain


class NotPublishable(Exception):
    """The draft is not a valid configuration; ``problems`` says everything wrong with it."""

    def __init__(self, problems: tuple[DraftProblem, ...]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class NodeRevision:
    """A node's part of a revision or candidate. ``document`` holds secrets in clear."""

    number: int
    digest: str
    document: dict[str, Any]

    def __repr__(self) -> str:
        return f"NodeRevision({self.number}, {self.digest!r})"


def validate() -> tuple[DraftProblem, ...]:
    """Give everything that stands in the way of publishing the draft."""
    return draft.build().problems


@transaction.atomic
def publish(user: User | None = None, note: str = "") -> tuple[ConfigRevision, bool]:
    """Make the draft the active revision, and say whether it is a new one.

    Equal content makes no new revision: the active one is given back.
    Raises NotPublishable.
    """
    now = draft.build()
    if now.snapshot is None:
        raise NotPublishable(now.problems)
    return _activate(now.snapshot, user, note)


@transaction.atomic
def roll_back(
    number: int, user: User | None = None, note: str = "", *, load_draft: bool = False
) -> tuple[ConfigRevision, bool]:
    """Publish the content of an earlier revision again, under a new number.

    Numbers only grow, so that a node can tell what is newer. The draft stays as it is and is
    shown as pending, unless ``load_draft``. Raises ConfigRevision.DoesNotExist; Invalid when a
    later contract no longer accepts the content.
    """
    earlier = ConfigRevision.objects.get(number=number)
    snapshot = queries.snapshot(earlier)
    if load_draft:
        _load(earlier, snapshot)
    why = f"Roll back to revision {number}"
    done = f"rolled back to revision {number}"
    return _activate(
        snapshot,
        user,
        f"{why}: {note}" if note else why,
        told=f"{done}: {note}" if note else done,
    )


@transaction.atomic
def load_into_draft(number: int) -> ConfigRevision:
    """Make the draft say what a revision says; nothing is published.

    Raises ConfigRevision.DoesNotExist; Invalid when a later contract no longer accepts it.
    """
    revision = ConfigRevision.objects.get(number=number)
    _load(revision, queries.snapshot(revision))
    return revision


def _load(revision: ConfigRevision, snapshot: Snapshot) -> None:
    """Let the draft say what a revision says; the audit trail is told which settings it changes."""
    before = draft.build().readable or Snapshot()
    with audit.as_one(Action.LOADED, revision) as told:
        registry.load_sections(snapshot)
        told += trail.rows(compare(before, draft.build().readable or Snapshot()))


@transaction.atomic
def ask_nodes(*, again: bool = False) -> Candidate:
    """Have every connected node check the draft against its own host (ADR-0024).

    again: ask anew although this very draft is being asked about.
    Raises NotPublishable.
    """
    now = draft.build()
    if now.snapshot is None:
        raise NotPublishable(now.problems)
    digest, asked_at = now.snapshot.digest(), timezone.now()
    present = Candidate.objects.select_for_update().defer("document").first()
    if present and not again and present.digest == digest and queries.is_open(present):
        return present
    Candidate.objects.all().delete()
    candidate = Candidate.objects.create(
        digest=digest,
        document=_text(now.snapshot),
        parts=parts.digests(now.snapshot),
        asked_at=asked_at,
    )
    doorbell.ring_on_commit({"type": "candidate.asked", "number": candidate.pk})
    return candidate


def candidate_for_nodes(number: int, group: str = NO_GROUP) -> NodeRevision | None:
    """Give what nodes of a group would run of a candidate; None when it is gone.

    With its secrets, for the control link only.
    """
    found = Candidate.objects.filter(pk=number).first()
    return _part(found, found.pk, group) if found is not None else None


def for_nodes(group: str = NO_GROUP) -> NodeRevision | None:
    """Give what nodes of a group run of the active revision: for the control link only."""
    active = ConfigRevision.objects.filter(is_active=True).first()
    return _part(active, active.number, group) if active is not None else None


def _part(whole: Candidate | ConfigRevision, number: int, group: str) -> NodeRevision:
    """Take a group's part out, with its secrets and nobody else's."""
    document = parts.document_for(queries.document(whole), group)
    return NodeRevision(number, whole.digest_for(group), document)


def _activate(
    snapshot: Snapshot, user: User | None, note: str, *, told: str = ""
) -> tuple[ConfigRevision, bool]:
    """Make a snapshot the active revision; ``told`` is for the audit trail, the note if empty."""
    digest = snapshot.digest()
    newest = ConfigRevision.objects.select_for_update().defer("document").first()
    active = ConfigRevision.objects.filter(is_active=True).first()
    if active is not None and active.digest == digest:
        return active, False
    ConfigRevision.objects.filter(is_active=True).update(is_active=False)
    revision = ConfigRevision.objects.create(
        number=newest.number + 1 if newest else 1,
        digest=digest,
        document=_text(snapshot),
        parts=parts.digests(snapshot),
        note=note[:200],
        author=user,
        is_active=True,
    )
    changes = trail.rows(compare(queries.readable(active), snapshot))
    audit.record(Action.PUBLISHED, revision, text=told or revision.note, changes=changes)
    # what nodes said was about the step from what ran before
    Candidate.objects.all().delete()
    doorbell.ring_on_commit({"type": "revision.published", "number": revision.number})
    return revision, True


def _text(snapshot: Snapshot) -> str:
    return json.dumps(to_plain(snapshot, reveal=True), separators=(",", ":"))
