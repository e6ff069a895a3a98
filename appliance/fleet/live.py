"""Search, sort and page the live index, as the sessions page asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.auth import get_user
from django.contrib.auth.models import PermissionsMixin
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import Case, Count, F, IntegerField, QuerySet, Sum, Value, When
from django.http import HttpRequest

from appliance.fleet import queries, search
from appliance.fleet.choices import NodeState, SessionState
from appliance.fleet.models import Disconnect, LiveSession, Node
from appliance.publish import queries as publish

PAGE_SIZE: Final = 50
SHOWN_AFTER: Final = timedelta(seconds=15)
"""How long a mass disconnect is shown when it is over."""

SORTS: Final[Mapping[str, str]] = {
    "user": "user",
    "protocol": "protocol",
    "tls": "tls",
    "client": "client_key",
    "backend": "backend",
    "node": "node__name",
    "state": "standing",
    "age": "-started_at",
    "to_front": "bytes_to_front",
    "to_back": "bytes_to_back",
}
"""What the page may sort by; an older session has the greater age."""

COLUMNS: Final = (
    ("user", "User", ""),
    ("protocol", "Protocol", ""),
    ("tls", "TLS", ""),
    ("client", "Client", ""),
    ("backend", "Mail server", ""),
    ("node", "Node", ""),
    ("state", "State", ""),
    ("age", "Age", "live-number"),
    ("to_front", "To client", "live-number"),
    ("to_back", "To server", "live-number"),
)
"""The page's columns: key of SORTS, title, class of the cell."""


@dataclass(frozen=True, slots=True)
class View:
    """What an operator looks at."""

    search: str = ""
    sort: str = "age"
    descending: bool = False
    page: int = 1

    @classmethod
    def from_frame(cls, plain: Mapping[str, Any]) -> "View":
        """Read a view. Whatever makes no sense is taken as not said."""
        text, sort, page = plain.get("search"), plain.get("sort"), plain.get("page")
        return cls(
            search=text.replace("\x00", "")[: search.MAX_CHARS] if isinstance(text, str) else "",
            sort=sort if isinstance(sort, str) and sort in SORTS else "age",
            descending=plain.get("descending") is True,
            page=page if type(page) is int and 1 <= page <= 1_000_000 else 1,
        )


def operator(session: SessionBase) -> PermissionsMixin | None:
    """Give the operator a browser session belongs to now, if he may see live sessions.

    session: freshly opened, so that a logout, a new password or a lost permission counts at once.
    """
    request = HttpRequest()
    request.session = session
    user: Any = get_user(request)
    if may_view(user):
        return user  # type: ignore[no-any-return]
    return None


def may_view(user: Any) -> bool:
    """Tell whether a user may see live sessions."""
    return bool(user.is_active and user.is_staff and user.has_perm("fleet.view_livesession"))


def may_disconnect(user: Any) -> bool:
    """Tell whether a user may disconnect them."""
    return may_view(user) and bool(user.has_perm("fleet.disconnect_livesession"))


def listeners() -> list[dict[str, Any]]:
    """Give what the nodes listen on by their own word, for who does not see a session yet.

    By the revision each has acknowledged, which need not be the one that is published.
    """
    nodes = [
        node
        for node in Node.objects.filter(revoked_at=None, applied_revision__gt=0)
        if node.last_seen_at is not None
    ]
    found: dict[tuple[str, str, str], list[str]] = {}
    for node in nodes:
        for server in publish.servers_of(node.applied_revision, node.applied_digest):
            for listen in server.listens:
                key = (server.name, server.protocol.value, listen.key)
                found.setdefault(key, []).append(node.name)
    return [
        {"server": server, "protocol": protocol, "key": key, "nodes": names}
        for (server, protocol, key), names in found.items()
    ]


def page(view: View, now: datetime) -> dict[str, Any]:
    """Give one page of sessions as plain data, with what the page's head shows."""
    all_of = LiveSession.objects.aggregate(
        count=Count("pk"), front=Sum("bytes_to_front"), back=Sum("bytes_to_back")
    )
    found = matching(view.search, now)
    count = found.count() if view.search.strip() else all_of["count"]
    pages = max(1, -(-count // PAGE_SIZE))
    number = min(view.page, pages)
    start = (number - 1) * PAGE_SIZE
    statuses = queries.statuses(now)
    states = {node.pk: status.state for node, status in statuses}
    names = {node.pk: node.name for node, _ in statuses}
    ordered = _ordered(found, view, now)[start : start + PAGE_SIZE]
    return {
        "rows": [_row(row, names, states) for row in ordered],
        "matching": count,
        "total": all_of["count"],
        "to_front": all_of["front"] or 0,
        "to_back": all_of["back"] or 0,
        "page": number,
        "pages": pages,
        "page_size": PAGE_SIZE,
        "nodes": sum(status.state is not NodeState.REVOKED for _, status in statuses),
        "silent": [
            {"name": node.name, "text": status.text}
            for node, status in statuses
            if status.state is NodeState.SILENT
        ],
        "disconnects": progress(now),
    }


def news(before: Mapping[str, Any] | None, page: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a browser needs that shows ``before``: of each session only what is different.

    ``order`` has all sessions of the page; ``rows`` those that are new, and what changed of others.
    """
    known = {row["id"]: row for row in before["rows"]} if before is not None else {}
    rows = []
    for row in page["rows"]:
        old = known.get(row["id"], {})
        changed = {name: value for name, value in row.items() if old.get(name) != value}
        if changed:
            rows.append({"id": row["id"], **changed})
    return {**page, "order": [row["id"] for row in page["rows"]], "rows": rows}


def matching(text: str, now: datetime) -> QuerySet[LiveSession]:
    """Give the sessions that a search finds."""
    rows = LiveSession.objects.annotate(octets=F("bytes_to_front") + F("bytes_to_back"))
    return rows.filter(search.conditions(text, now, now - queries.SILENT_AFTER))


def progress(now: datetime) -> list[dict[str, Any]]:
    """Say how mass disconnects fare that go on, or are over since a moment."""
    rows = (
        Disconnect.objects.exclude(finished_at__lt=now - SHOWN_AFTER)
        .select_related("created_by")
        .annotate(remaining=Count("sessions"))
        .order_by("pk")
    )
    return [
        {
            "id": row.pk,
            "search": row.search,
            "by": str(row.created_by or "somebody"),
            "total": row.total,
            "gone": max(0, row.total - row.remaining - row.failed - row.left),
            "failed": row.failed,
            "left": row.left,
            "over": row.finished_at is not None or not row.remaining,
        }
        for row in rows
    ]


def _ordered(found: QuerySet[LiveSession], view: View, now: datetime) -> QuerySet[LiveSession]:
    column = SORTS[view.sort]
    if view.sort == "state":
        found = found.annotate(standing=_standing(now))
    if view.descending:
        column = column.removeprefix("-") if column.startswith("-") else f"-{column}"
    return found.order_by(column, "pk")


def _standing(now: datetime) -> Case:
    """Order by state, those that go on as they are first."""
    return Case(
        When(kick_requested_at__isnull=False, then=Value(4)),
        When(kick_due_at__isnull=False, then=Value(3)),
        When(node__last_seen_at__lt=now - queries.SILENT_AFTER, then=Value(2)),
        When(node__drain_requested_at__isnull=False, then=Value(1)),
        default=Value(0),
        output_field=IntegerField(),
    )


_STATES: Final = {
    NodeState.SILENT: SessionState.SILENT,
    NodeState.DRAINING: SessionState.DRAINING,
}


def _state(row: LiveSession, node: NodeState | None) -> SessionState:
    if row.kick_requested_at is not None:
        return SessionState.DISCONNECTING
    if row.kick_due_at is not None:
        return SessionState.WAITING
    return _STATES.get(node, SessionState.OPEN) if node is not None else SessionState.OPEN


def _row(
    row: LiveSession, names: Mapping[int, str], states: Mapping[int, NodeState]
) -> dict[str, Any]:
    state = _state(row, states.get(row.node_id))
    return {
        "id": row.pk,
        "user": row.user,
        "protocol": row.protocol,
        "tls": row.tls,
        "client": row.client,
        "client_port": row.client_port,
        "server": row.server,
        "listen": row.listen,
        "backend": row.backend,
        "auth_session": row.auth_session,
        "node": names.get(row.node_id, ""),
        "state": state.value,
        "state_text": str(state.label),
        "started_at": row.started_at.timestamp(),
        "to_front": row.bytes_to_front,
        "to_back": row.bytes_to_back,
        "disconnecting": state is SessionState.DISCONNECTING,
    }
