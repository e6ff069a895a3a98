"""Read the fleet: who may speak, what a node is due, and what can be said of its state."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from appliance.fleet import common
from appliance.fleet.choices import CommandState, NodeState
from appliance.fleet.models import LiveSession, Node, NodeCommand
from appliance.fleet.services.nodes import hash_token
from appliance.publish import queries as publish
from appliance.publish.models import ConfigRevision
from appliance.publish.parts import NO_GROUP
from appliance.routing import queries as routing
from proxycore.contract.messages import HEARTBEAT_S, Challenges

SILENT_AFTER = timedelta(seconds=5 * HEARTBEAT_S)
"""Unheard for longer, a node is shown as silent: five heartbeats are not lost by chance."""

CLOCK_OFF_MS = 1000
"""A clock that differs by more is said to be off: times of records would mislead."""

FORGOTTEN_AFTER = timedelta(minutes=5)
"""Unheard for longer, a node's sessions are no longer shown: nobody knows whether they are."""


def names() -> dict[int, str]:
    """Give what the nodes are called, by id."""
    return dict(Node.objects.values_list("pk", "name"))


def find_by_token(token: str) -> Node | None:
    """Give the node a token belongs to, or None for an unknown or revoked one.

    The look-up is by SHA-256 in an index, so its time tells nothing of the token.
    """
    return Node.objects.filter(token_hash=hash_token(token), revoked_at=None).first()


@dataclass(frozen=True, slots=True)
class Due:
    """What a node has to be sent so that it is as it should be."""

    revision: tuple[int, str] | None = None
    """Number and digest of its part of the revision it should run, when it runs another."""
    group: str = NO_GROUP
    """Name of the group whose part that is; of drafts as well."""
    generation: int | None = None
    """Routing generation, when its cached verdicts are of another."""
    logins: tuple[str, ...] | None = None
    """Whose verdicts alone may have changed since the node's; None: everybody's."""
    commands: bool = False
    candidate: int = 0
    """Number of the draft it is to check; 0 when there is none, or it has."""
    tickets: int = 0
    """Number of the session ticket keys it should have, when it has others."""
    ring: int = 0
    """Whose keys those are, as ``common.tickets`` takes it."""
    challenges: Challenges | None = None
    """What it should answer certificate authorities by, when it answers by something else."""
    drain: bool | None = None
    """Whether it should take no new clients, when it does otherwise."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should be so on every node: what a heartbeat is compared with."""

    revision: ConfigRevision | None
    generation: int
    candidate: int
    tickets: int
    """As ``common.ticket_number`` gives it."""

    @classmethod
    def now(cls) -> "Wanted":
        """Look it up."""
        current, asked = publish.current(), publish.candidate()
        return cls(
            revision=current,
            generation=routing.generation(),
            candidate=asked.pk if asked is not None and publish.is_open(asked) else 0,
            tickets=common.ticket_number(),
        )


def due(node: Node, *, retry_refused: bool, wanted: Wanted | None = None) -> Due:
    """Compare a node with what it should be.

    wanted: as it was a moment ago; looked up when it is not given.

    retry_refused: also send a revision the node has refused. So it is when a node connects, as it
    may be a newer program by then; not with each heartbeat, since it would refuse it again.
    """
    wanted = wanted or Wanted.now()
    group, generation = node.group_name, wanted.generation
    revision = _revision_due(node, wanted.revision, retry_refused=retry_refused)
    ring = node.group_id or 0
    number = wanted.tickets + ring if wanted.tickets else 0
    challenges = common.challenges(node.acme_http_listen)
    return Due(
        revision=revision,
        group=group,
        ring=ring,
        generation=None if node.generation == generation else generation,
        logins=routing.changed_logins(node.generation, generation),
        commands=NodeCommand.objects.filter(node=node, state=CommandState.PENDING).exists()
        or LiveSession.objects.filter(node=node, kick_due_at__lte=timezone.now()).exists(),
        candidate=0 if wanted.candidate == node.checked_candidate else wanted.candidate,
        tickets=0 if node.tickets == number else number,
        challenges=None if node.challenges == challenges.digest else challenges,
        drain=None if node.is_draining == node.is_to_drain else node.is_to_drain,
    )


def _revision_due(
    node: Node, wanted: ConfigRevision | None, *, retry_refused: bool
) -> tuple[int, str] | None:
    if wanted is None:
        return None
    part = wanted.number, wanted.digest_for(node.group_name)
    if (node.applied_revision, node.applied_digest) == part:
        return None
    refused = node.refused_revision == wanted.number
    return part if retry_refused or not refused else None


@dataclass(frozen=True, slots=True)
class Status:
    """What is shown of a node."""

    state: NodeState
    text: str
    problems: Sequence[dict[str, str]] = ()


def status(node: Node, published: int, now: datetime, digest: str = "") -> Status:
    """Say how a node stands to the published revision; 0 when nothing is published yet.

    digest: of its part of that.
    """
    if node.revoked_at is not None:
        return Status(NodeState.REVOKED, f"revoked {node.revoked_at:%Y-%m-%d %H:%M} UTC")
    if node.last_seen_at is None:
        return Status(NodeState.NEW, "has not connected yet")
    if now - node.last_seen_at > SILENT_AFTER:
        return Status(NodeState.SILENT, f"silent since {node.last_seen_at:%Y-%m-%d %H:%M:%S} UTC")
    runs = f"running revision {node.applied_revision}" if node.applied_revision else "runs nothing"
    if published and node.refused_revision == published:
        text = f"refused revision {published}, {runs}"
        return Status(NodeState.REFUSED, text, tuple(node.problems))
    if node.applied_revision != published or (digest and node.applied_digest != digest):
        same = " with other content for it" if node.applied_revision == published else ""
        return Status(NodeState.BEHIND, f"{runs}, {published or 'nothing'} is published{same}")
    if node.is_to_drain or node.is_draining:
        return Status(NodeState.DRAINING, _drain_text(node, runs))
    if not published:
        return Status(NodeState.RUNNING, "connected, nothing is published yet")
    warnings = [] if node.refused_revision else [problem["message"] for problem in node.problems]
    return Status(NodeState.RUNNING, "; ".join([runs, *warnings]))


def _drain_text(node: Node, runs: str) -> str:
    if not node.is_to_drain:
        return f"opens its listeners again, {runs}"
    if not node.is_draining:
        return f"asked to take no new clients, {runs}"
    remain = f"{node.sessions} session{'' if node.sessions == 1 else 's'} remain"
    return f"takes no new clients, {remain if node.sessions else 'nothing remains'}, {runs}"


def clock_text(skew_ms: int | None) -> str:
    """Say how far a clock is ahead of ours; empty when it is not known.

    What a frame takes to arrive is part of it, so less than a heartbeat is no difference.
    """
    if skew_ms is None:
        return ""
    if abs(skew_ms) <= CLOCK_OFF_MS:
        return "right"
    return f"{abs(skew_ms) / 1000:.1f} s {'ahead' if skew_ms > 0 else 'behind'}"


def ago(at: datetime | None, now: datetime) -> str:
    """Say how long ago something was."""
    if at is None:
        return "never"
    seconds = max(0, int((now - at).total_seconds()))
    if seconds <= SILENT_AFTER.seconds:
        return "just now"
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def statuses(now: datetime) -> list[tuple[Node, Status]]:
    """Give every node with its status, by name."""
    current = publish.current()
    nodes = Node.objects.select_related("group")
    return [(node, status_to(node, current, now)) for node in nodes]


def status_to(node: Node, current: ConfigRevision | None, now: datetime) -> Status:
    """Say how a node stands to a revision, of which it has its part to run."""
    if current is None:
        return status(node, 0, now)
    return status(node, current.number, now, current.digest_for(node.group_name))


def long_silent(now: datetime) -> list[int]:
    """Give the nodes whose last report of sessions is too old to be shown."""
    return list(
        Node.objects.filter(last_seen_at__lt=now - FORGOTTEN_AFTER)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
