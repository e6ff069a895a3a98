"""Enrol and revoke nodes, and write down what they say of themselves."""

import hashlib
import secrets
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from appliance.audit import services as audit
from appliance.audit.choices import Action
from appliance.fleet import doorbells
from appliance.fleet.choices import CloseCode, CommandState
from appliance.fleet.models import LiveSession, Node, NodeCommand
from appliance.history import services as history
from appliance.lib.text import storable
from appliance.servers.models import NodeGroup
from appliance.stats import services as stats
from proxycore.contract.codec import Invalid, Problem
from proxycore.contract.messages import (
    LINK_VERSION,
    Ack,
    Checked,
    Heartbeat,
    Hello,
    Nack,
    SettingProblem,
)
from proxycore.contract.secret import Secret

MAX_PROBLEMS = 50
"""Most problems of one refusal that are kept; nobody reads more."""

MAX_COUNT = 2**31 - 1
MAX_NUMBER = 2**63 - 1
"""What an integer column and a big one hold."""

_TOKEN_BYTES = 32
_SETTINGS = ("name", "group", "probe_address", "acme_http_listen")
_MOVED: Final[dict[str, Any]] = {"refused_revision": 0, "problems": [], "checked_candidate": 0}
"""What a node has said of another group's part says nothing of its new one's."""

_HEARD = (
    "boot_id",
    "last_seen_at",
    "applied_revision",
    "applied_digest",
    "generation",
    "workers",
    "sessions",
    "tickets",
    "challenges",
    "challenge_problems",
    "is_draining",
    "load",
    "clock_skew_ms",
)
_REFUSAL = ("refused_revision", "problems")


class Dismissed(Exception):
    """The connection may not speak for this node (any more)."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def hash_token(token: str) -> str:
    """Give what is stored of a token. It has full entropy, so no slow hash is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def enrol(name: str, group: NodeGroup | None = None) -> tuple[Node, Secret]:
    """Create a node and its token. The token cannot be had again: only its hash is kept."""
    token = _new_token()
    node = Node.objects.create(name=name, token_hash=hash_token(token.reveal()), group=group)
    return node, token


@transaction.atomic
def configure(node: Node) -> None:
    """Write what an operator says of a node; what it says itself is not touched.

    Raises ValidationError.
    """
    node.full_clean()
    before = Node.objects.select_related("group").get(pk=node.pk)
    now = {name: getattr(node, name) for name in _SETTINGS}
    changes = [
        (name, _shown(getattr(before, name)), _shown(value))
        for name, value in now.items()
        if getattr(before, name) != value
    ]
    if changes:
        moved = _MOVED if before.group_id != node.group_id else {}
        Node.objects.filter(pk=node.pk).update(**now, **moved)
        if moved:
            doorbells.ring_for_command(node.pk)
        audit.record(Action.CHANGED, node, changes=changes, name=node.name)


def _shown(value: str | list[str] | NodeGroup | None) -> str:
    return " ".join(value) if isinstance(value, list) else str(value or "")


@transaction.atomic
def renew_token(node: Node) -> Secret:
    """Give a node a new token; the old one is void at once and its connection is closed.

    A revoked node is admitted again by this.
    """
    token = _new_token()
    Node.objects.filter(pk=node.pk).update(
        token_hash=hash_token(token.reveal()), revoked_at=None, connection=""
    )
    audit.record(Action.CHANGED, node, changes=[("token", "set", "changed")])
    doorbells.ring_for_dismissal(node.pk)
    return token


@transaction.atomic
def revoke(node: Node) -> None:
    """Shut a node out: its token is void, its connection is closed within 5 s.

    The node itself goes on serving with what it has (design.md §3, invariant 6).
    """
    if Node.objects.filter(pk=node.pk, revoked_at=None).update(revoked_at=timezone.now()):
        audit.record(Action.CHANGED, node, changes=[("admitted", "yes", "no")], text="revoked")
    LiveSession.objects.filter(node=node).delete()
    NodeCommand.objects.filter(
        node=node, state__in=(CommandState.PENDING, CommandState.SENT)
    ).update(state=CommandState.FAILED, message="The node was revoked.", finished_at=timezone.now())
    doorbells.ring_for_dismissal(node.pk)


@transaction.atomic
def drain(node: Node, *, wanted: bool) -> None:
    """Have a node take no new clients, or take them again. Its sessions go on.

    That is what shall be so: the node is told until it says that it is, also after a restart.
    """
    rows = Node.objects.filter(pk=node.pk, drain_requested_at__isnull=wanted)
    if rows.update(drain_requested_at=timezone.now() if wanted else None):
        before, after = ("yes", "no") if wanted else ("no", "yes")
        audit.record(Action.CHANGED, node, changes=[("takes new clients", before, after)])
        doorbells.ring_for_command(node.pk)
        doorbells.ring_for_sessions()


@transaction.atomic
def delete(node: Node) -> None:
    """Forget a node and everything known of it."""
    primary_key = node.pk
    node.delete()
    stats.forget(primary_key)
    history.forget_node(primary_key)
    doorbells.ring_for_dismissal(primary_key)


def greet(admitted: Node, connection: str, hello: Hello, now: datetime, *, peer: str = "") -> Node:
    """Take a node's first frame: from now on this connection speaks for it.

    admitted: the node as it was when its token was looked at. peer: address it connects from.
    Raises Dismissed for a node of another link version or a token that is void meanwhile.
    """
    if hello.link_version != LINK_VERSION:
        raise Dismissed(
            CloseCode.LINK_VERSION,
            f"link version {hello.link_version} is spoken, {LINK_VERSION} is needed",
        )
    with transaction.atomic():
        node = _admitted(admitted, Node.objects.select_for_update())
        if node.boot_id != hello.boot_id:
            # the sessions of another boot ended with its processes
            LiveSession.objects.filter(node=node).delete()
            # what another boot refused this one may take: it is sent it again
            node.refused_revision, node.problems = 0, []
            node.checked_candidate = 0
        node.connection = connection
        node.version = storable(hello.version, 64)
        node.hostname = storable(hello.hostname, 255)
        node.peer_address = storable(peer, 64)
        node.connected_at = now
        _note(node, hello, now)
        node.save()
        # what was sent over a connection that is gone may not have arrived; a kick can be repeated
        NodeCommand.objects.filter(node=node, state=CommandState.SENT).update(
            state=CommandState.PENDING
        )
    return node


def hear(node_id: int, connection: str, heartbeat: Heartbeat, now: datetime) -> Node:
    """Take a heartbeat. Raises Dismissed when this connection no longer speaks for the node."""
    node = check(node_id, connection)
    refused = node.refused_revision
    _note(node, heartbeat, now)
    node.sessions = _number("sessions", heartbeat.sessions, MAX_COUNT)
    node.challenge_problems = _told(heartbeat.challenge_problems)
    names = _HEARD if node.refused_revision == refused else (*_HEARD, *_REFUSAL)
    # not save(): the node may be deleted at this very moment
    Node.objects.filter(pk=node_id).update(**{name: getattr(node, name) for name in names})
    return node


def check_admitted(admitted: Node) -> Node:
    """Give the node if its token is still good, else raise Dismissed. For before its greeting."""
    return _admitted(admitted, Node.objects.all())


def check(node_id: int, connection: str) -> Node:
    """Give the node if this connection speaks for it, else raise Dismissed."""
    node = Node.objects.select_related("group").filter(pk=node_id).first()
    if node is None or node.revoked_at is not None:
        raise Dismissed(CloseCode.NOT_ALLOWED, "the node is revoked")
    if node.connection != connection:
        raise Dismissed(CloseCode.REPLACED, "another connection speaks for this node")
    return node


def acknowledge(node_id: int, connection: str, ack: Ack) -> None:
    """Write down that a revision is active in every worker of a node."""
    check(node_id, connection)
    Node.objects.filter(pk=node_id).update(
        applied_revision=_number("revision", ack.revision),
        applied_digest=storable(ack.digest, 64),
        refused_revision=0,
        problems=[{"path": "", "message": storable(ack.warning, 500)}] if ack.warning else [],
    )


def refuse(node_id: int, connection: str, nack: Nack) -> None:
    """Write down what a node has against a revision; it goes on with what it runs."""
    check(node_id, connection)
    Node.objects.filter(pk=node_id).update(
        refused_revision=_number("revision", nack.revision),
        problems=_told(nack.problems),
    )


def note_check(node_id: int, connection: str, checked: Checked) -> None:
    """Write down what a node says of a candidate; it was told to no worker."""
    check(node_id, connection)
    Node.objects.filter(pk=node_id).update(
        checked_candidate=_number("candidate", checked.candidate),
        check_problems=_told(checked.problems),
        check_warnings=_told(checked.warnings),
    )


def _told(problems: tuple[SettingProblem, ...]) -> list[dict[str, str]]:
    return [
        {"path": storable(p["path"], 300), "message": storable(p["message"], 500)}
        for p in map(asdict, problems[:MAX_PROBLEMS])
    ]


def _admitted(admitted: Node, rows: QuerySet[Node]) -> Node:
    node = rows.filter(pk=admitted.pk, token_hash=admitted.token_hash, revoked_at=None).first()
    if node is None:
        raise Dismissed(CloseCode.NOT_ALLOWED, "the token is void")
    return node


def _note(node: Node, said: Hello | Heartbeat, now: datetime) -> None:
    node.boot_id = storable(said.boot_id, 64)
    node.last_seen_at = now
    former = (node.applied_revision, node.applied_digest)
    node.applied_revision = _number("revision", said.revision)
    node.applied_digest = storable(said.digest, 64)
    if former != (said.revision, said.digest) and said.revision == node.refused_revision:
        # what was in its way is gone, and the Ack that says so may be lost
        node.refused_revision, node.problems = 0, []
    node.generation = _number("generation", said.generation)
    node.workers = _number("workers", said.workers, MAX_COUNT)
    node.tickets = _number("tickets", said.tickets)
    node.challenges = storable(said.challenges, 64)
    node.is_draining = said.is_draining
    known = said.load is not None and 0 <= said.load < MAX_COUNT
    node.load = said.load if known else None
    node.clock_skew_ms = _skew_ms(said.clock, now)


def _skew_ms(clock: float, now: datetime) -> int | None:
    """Give how far a node's clock is ahead; a time that no clock shows is as good as none."""
    if not 0 < clock < MAX_COUNT:
        return None
    return round((clock - now.timestamp()) * 1000)


def _number(name: str, value: int, most: int = MAX_NUMBER) -> int:
    """Check what the contract leaves open: that a count counts, and fits its column."""
    if not 0 <= value <= most:
        raise Invalid([Problem(name, "is not a count")])
    return value


def _new_token() -> Secret:
    return Secret(secrets.token_urlsafe(_TOKEN_BYTES))
