"""Tell nodes to do something once, and write down what became of it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from appliance.audit import services as audit
from appliance.audit.choices import Action
from appliance.fleet import doorbells
from appliance.fleet.choices import CommandKind, CommandState
from appliance.fleet.models import LiveSession, NodeCommand
from appliance.fleet.services import disconnects
from appliance.lib.text import storable
from proxycore.contract.messages import CommandResult, Kick

WAITING_FROM = "waiting-from "
"""Begins the target that is an address, all of whose sessions before login are meant."""

EXPIRES_AFTER = timedelta(seconds=60)
"""A node that has not answered by then will not: the operator is told, and may ask again."""

KEPT_FOR = timedelta(days=30)
"""How long finished commands stay as the record of who disconnected whom."""

_MOST_AFFECTED = 2**31 - 1

_OPEN = (CommandState.PENDING, CommandState.SENT)


@transaction.atomic
def kick_sessions(sessions: Iterable[int], by: Any) -> list[NodeCommand]:
    """Have live sessions disconnected by their nodes; one command per node.

    sessions: primary keys of LiveSession; unknown ones are left out (they ended meanwhile).
    by: the operator who asks, for the record. Whether he may is the caller's to check.
    """
    now = timezone.now()
    rows = LiveSession.objects.select_for_update().filter(
        pk__in=list(sessions), kick_requested_at=None
    )
    by_node: dict[int, list[LiveSession]] = defaultdict(list)
    for row in rows:
        by_node[row.node_id].append(row)
    commands = [
        NodeCommand(
            node_id=node_id,
            kind=CommandKind.KICK,
            targets=[row.session for row in targets],
            description=_describe(targets),
            created_by=by,
        )
        for node_id, targets in sorted(by_node.items())
    ]
    NodeCommand.objects.bulk_create(commands)
    LiveSession.objects.filter(pk__in=[row.pk for rows in by_node.values() for row in rows]).update(
        kick_requested_at=now, kick_due_at=None
    )
    for command in commands:
        audit.record(Action.DISCONNECTED, command, name=command.description)
        doorbells.ring_for_command(command.node_id)
    if commands:
        doorbells.ring_for_sessions()
    return commands


@transaction.atomic
def kick_waiting(node_ids: Iterable[int], target: str, description: str, by: Any) -> int:
    """Have sessions disconnected that have not logged in; gives how many nodes are told.

    target: the session, or ``WAITING_FROM`` and an address. by: as in ``kick_sessions``.
    """
    commands = [
        NodeCommand(
            node_id=node_id,
            kind=CommandKind.KICK,
            targets=[target],
            description=description[:600],
            created_by=by,
        )
        for node_id in node_ids
    ]
    NodeCommand.objects.bulk_create(commands)
    for command in commands:
        audit.record(Action.DISCONNECTED, command, name=command.description)
        doorbells.ring_for_command(command.node_id)
    return len(commands)


def order(command: NodeCommand) -> Kick:
    """Give what the node is told."""
    targets: list[str] = command.targets
    addresses = [one.removeprefix(WAITING_FROM) for one in targets if one.startswith(WAITING_FROM)]
    sessions = tuple(one for one in targets if not one.startswith(WAITING_FROM))
    return Kick(command=str(command.pk), sessions=sessions, waiting_from="".join(addresses))


def take_pending(node_id: int, now: datetime) -> list[NodeCommand]:
    """Take the commands that are to be sent to a node now; each is taken once per connection."""
    disconnects.hand_out(node_id, now)
    with transaction.atomic():
        waiting = list(
            NodeCommand.objects.select_for_update()
            .filter(node_id=node_id, state=CommandState.PENDING)
            .order_by("created_at")
        )
        NodeCommand.objects.filter(pk__in=[command.pk for command in waiting]).update(
            state=CommandState.SENT, sent_at=now
        )
    return waiting


def finish(node_id: int, result: CommandResult, now: datetime) -> bool:
    """Write down a node's answer. Returns False for one nobody waits for.

    Sessions the node has disconnected, or does not know, leave the index at once.
    """
    try:
        command_id = UUID(result.command)
    except ValueError:
        return False
    with transaction.atomic():
        command = (
            NodeCommand.objects.select_for_update()
            .filter(pk=command_id, node_id=node_id, state__in=_OPEN)
            .first()
        )
        if command is None:
            return False
        command.state = CommandState.FAILED if result.message else CommandState.DONE
        most = _MOST_AFFECTED if order(command).waiting_from else len(command.targets)
        command.affected = max(0, min(result.affected, most))
        command.message = storable(result.message, 500)
        command.finished_at = now
        if command.disconnect_id is None:
            command.save()
        else:
            command.delete()
        if command.state == CommandState.DONE:
            LiveSession.objects.filter(node_id=node_id, session__in=command.targets).delete()
        else:
            _let_go(command)
    return True


def _let_go(command: NodeCommand) -> None:
    """Leave the sessions of a command that came to nothing as they are."""
    rows = LiveSession.objects.filter(node_id=command.node_id, session__in=command.targets)
    disconnects.note_failures([(command.disconnect_id, rows.count())])
    rows.update(kick_requested_at=None, disconnect=None)


def expire(now: datetime) -> int:
    """Give up commands no node has answered, and forget old ones. Returns how many were given up.

    Idempotent: a task of Celery beat.
    """
    overdue = NodeCommand.objects.filter(state__in=_OPEN, created_at__lt=now - EXPIRES_AFTER)
    with transaction.atomic():
        given_up = list(overdue.select_for_update())
        for command in given_up:
            _let_go(command)
        NodeCommand.objects.filter(pk__in=[command.pk for command in given_up]).update(
            state=CommandState.FAILED, message="The node did not answer.", finished_at=now
        )
    NodeCommand.objects.filter(finished_at__isnull=False, disconnect__isnull=False).delete()
    NodeCommand.objects.filter(finished_at__lt=now - KEPT_FOR).delete()
    return len(given_up)


def _describe(targets: Sequence[LiveSession]) -> str:
    first = targets[0]
    text = f"{first.user} from {first.client} on {first.server}"
    if len(targets) > 1:
        text += f" and {len(targets) - 1} more"
    return text[:600]
