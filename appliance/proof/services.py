"""Look at nodes, write down what was seen, and raise an alert where it is not what it should be."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from appliance.alerts import services as alerts
from appliance.alerts.queries import open_alerts
from appliance.fleet.models import Node
from appliance.proof import kinds, looking
from appliance.proof.choices import Verdict
from appliance.proof.looking import Finding, Task
from appliance.proof.models import Round, Sighting
from appliance.proof.targets import plan, reach
from appliance.publish import queries as publish

EVERY: Final = timedelta(minutes=5)
"""So often everything is looked at when nothing has changed."""

AGAIN: Final = timedelta(seconds=3)
"""So soon again where something was not as it should be, while it may only be under way."""
AGAIN_LATER: Final = timedelta(seconds=30)

SURE_AFTER: Final = 2
"""Looks in a row that find something else, before an alert: the node may be changing over."""
GIVEN_UP_AFTER: Final = 3
"""Looks in a row without an answer, before an alert."""

CLAIM: Final = timedelta(minutes=2)
"""A worker that was sent and has not come back by then was lost."""

_WORDS: Final = 500


def due(now: datetime) -> list[int]:
    """Claim the nodes that are to be looked at now, and give them; nobody else is given them."""
    # a drained node has no listening sockets, which is what was asked of it
    nodes = Node.objects.filter(revoked_at=None, applied_revision__gt=0, drain_requested_at=None)
    return [node.pk for node in nodes.select_related("proof_round") if _claim(node, now)]


def ask(nodes: Iterable[int], now: datetime) -> None:
    """Have nodes looked at as soon as a worker is free."""
    for node in Node.objects.filter(pk__in=list(nodes)):
        Round.objects.update_or_create(node=node, defaults={"wanted_at": now})


def _claim(node: Node, now: datetime) -> bool:
    last, _ = Round.objects.get_or_create(node=node)
    if not _is_due(node, last, now):
        return False
    free = Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM)
    mine = Round.objects.filter(free, pk=last.pk, looked_at=last.looked_at)
    return bool(mine.update(claimed_at=now))


def _is_due(node: Node, last: Round, now: datetime) -> bool:
    if last.looked_at is None or last.wanted_at is not None:
        return True
    if (last.revision, last.digest) != (node.applied_revision, node.applied_digest):
        return True
    bad = Sighting.objects.filter(node=node, failures__gt=0)
    if not bad.exists():
        return now - last.looked_at >= EVERY
    is_new = bad.filter(failures__lt=GIVEN_UP_AFTER).exists()
    return now - last.looked_at >= (AGAIN if is_new else AGAIN_LATER)


def look_at(node_id: int) -> None:
    """Look at every listener of a node, and write down what is seen there."""
    node = Node.objects.filter(pk=node_id, drain_requested_at=None).first()
    if node is None:
        return
    ran = node.applied_revision, node.applied_digest
    running = publish.running(*ran)
    wanted = plan(running.servers if running is not None else ())
    tasks = [
        Task(one, reach(one.listen, node.probe_address, node.peer_address))
        for one in wanted.targets
    ]
    findings = looking.look_at(tasks, node.workers)
    words = ""
    if running is None:
        words = "The configuration that this node runs cannot be read here."
    elif wanted.left_out:
        words = f"{wanted.left_out} more names of certificates are not asked for."
    write_down(node_id, ran, findings, words, timezone.now())


@transaction.atomic
def write_down(
    node_id: int,
    ran: tuple[int, str],
    findings: Sequence[Finding],
    words: str,
    now: datetime,
) -> bool:
    """Keep what was found; gives whether it counts.

    ran: revision and digest it was compared with. When the node runs another one by now, nothing
    that was seen says anything.
    """
    node = Node.objects.select_for_update().filter(pk=node_id).first()
    if node is None:
        return False
    last, _ = Round.objects.get_or_create(node=node)
    last.claimed_at = None
    if (node.applied_revision, node.applied_digest) != ran:
        last.save(update_fields=["claimed_at"])
        return False
    stored = Sighting.objects.filter(node=node)
    before = {(one.listener, one.name, one.kind): one for one in stored}
    kept = [_keep(node, before, finding, now) for finding in findings]
    gone = {one.pk for one in before.values()} - {one.pk for one in kept}
    Sighting.objects.filter(pk__in=gone).delete()
    last.revision, last.digest = ran
    last.looked_at, last.words, last.wanted_at = now, words, None
    last.save()
    _tell(node, kept, {one.listener for one in before.values()})
    return True


def _keep(
    node: Node, before: dict[tuple[str, str, str], Sighting], finding: Finding, now: datetime
) -> Sighting:
    target = finding.target
    key = (target.listen.key[:128], target.name, finding.kind)
    row = before.get(key) or Sighting(
        node=node, listener=key[0], name=key[1], kind=key[2], since=now, failures=0
    )
    if (row.seen, row.verdict) != (finding.seen, str(finding.verdict)):
        row.since = now
    is_bad = finding.verdict in (Verdict.OTHER, Verdict.FAILED)
    row.failures = row.failures + 1 if is_bad else 0
    row.position = target.position
    row.block, row.protocol = target.server.name[:100], target.server.protocol.value
    row.is_implicit = target.is_implicit
    row.expected, row.seen = finding.expected, finding.seen
    row.verdict, row.words = finding.verdict, finding.words[:_WORDS]
    row.connections, row.looked_at = finding.connections, now
    row.save()
    return row


def _tell(node: Node, kept: Sequence[Sighting], former: set[str]) -> None:
    """Raise what is certain, and take back what is no longer so."""
    for listener in sorted(former | {one.listener for one in kept}):
        rows = [one for one in kept if one.listener == listener]
        _tell_of(node, listener, rows, Verdict.OTHER, SURE_AFTER)
        _tell_of(node, listener, rows, Verdict.FAILED, GIVEN_UP_AFTER)


def _tell_of(
    node: Node, listener: str, rows: Sequence[Sighting], verdict: Verdict, after: int
) -> None:
    kind, severity = kinds.OF[verdict]
    about = f"{node} {listener}"
    bad = [one for one in rows if one.verdict == verdict]
    if not bad:
        alerts.clear_alert(kind.name, about, f"{about} serves what was published.")
    elif any(one.failures >= after for one in bad):
        one = bad[0]
        asked = f" to clients that ask for {one.name}" if one.name else ""
        text = f"Node {node}, {_protocol(one)} at {listener}{asked}: {one.words}"
        if verdict == Verdict.OTHER:
            text += f" Published is {one.expected[:23]}…, seen was {one.seen[:23]}…."
        url = reverse("admin:proof_sighting_changelist")
        alerts.raise_alert(kind.name, about, text, severity=severity, url=url)


def tidy() -> None:
    """Take back what was said of listeners that nobody looks at any more."""
    # a drained node has no listening sockets, and comes back as if it were new
    rows = Sighting.objects.filter(node__revoked_at=None, node__drain_requested_at=None)
    known = {f"{node} {key}" for node, key in rows.values_list("node__name", "listener").distinct()}
    for kind, _ in kinds.OF.values():
        for about in open_alerts().filter(kind=kind.name).values_list("about", flat=True):
            if about not in known:
                alerts.clear_alert(kind.name, about, f"{about} is not looked at any more.")


def _protocol(one: Sighting) -> str:
    return f"{one.protocol.upper()}{'S' if one.is_implicit else ''}"
