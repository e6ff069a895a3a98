"""Search, sort and page the live index, as the sessions page asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.auth import get_user
from django.contrib.auth.models import PermissionsMixin
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import Q, QuerySet, Sum
from django.http import HttpRequest

from appliance.fleet import queries
from appliance.fleet.choices import NodeState
from appliance.fleet.models import LiveSession, Node
from appliance.publish import queries as publish

PAGE_SIZE: Final = 50
MAX_TERMS: Final = 8
MAX_SEARCH_CHARS: Final = 200

_SEARCHED: Final = ("user", "client", "backend", "server", "listen", "node__name", "auth_session")

SORTS: Final[Mapping[str, str]] = {
    "user": "user",
    "protocol": "protocol",
    "client": "client",
    "backend": "backend",
    "node": "node__name",
    "age": "-started_at",
    "to_front": "bytes_to_front",
    "to_back": "bytes_to_back",
}
"""What the page may sort by; an older session has the greater age."""

COLUMNS: Final = (
    ("user", "User", ""),
    ("protocol", "Protocol", ""),
    ("client", "Client", ""),
    ("backend", "Mail server", ""),
    ("node", "Node", ""),
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
        search, sort, page = plain.get("search"), plain.get("sort"), plain.get("page")
        return cls(
            search=search.replace("\x00", "")[:MAX_SEARCH_CHARS] if isinstance(search, str) else "",
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
    found = _search(view.search)
    matching = found.count()
    pages = max(1, -(-matching // PAGE_SIZE))
    number = min(view.page, pages)
    start = (number - 1) * PAGE_SIZE
    ordered = found.select_related("node").order_by(_order(view), "pk")
    statuses = queries.statuses(now)
    total = LiveSession.objects.aggregate(front=Sum("bytes_to_front"), back=Sum("bytes_to_back"))
    return {
        "rows": [_row(row) for row in ordered[start : start + PAGE_SIZE]],
        "matching": matching,
        "total": LiveSession.objects.count(),
        "to_front": total["front"] or 0,
        "to_back": total["back"] or 0,
        "page": number,
        "pages": pages,
        "page_size": PAGE_SIZE,
        "nodes": sum(status.state is not NodeState.REVOKED for _, status in statuses),
        "silent": [
            {"name": node.name, "text": status.text}
            for node, status in statuses
            if status.state is NodeState.SILENT
        ],
    }


def _search(text: str) -> QuerySet[LiveSession]:
    found = LiveSession.objects.all()
    for term in text.split()[:MAX_TERMS]:
        match = Q(protocol__iexact=term)
        for field in _SEARCHED:
            match |= Q(**{f"{field}__icontains": term})
        found = found.filter(match)
    return found


def _order(view: View) -> str:
    column = SORTS[view.sort]
    if view.descending:
        return column.removeprefix("-") if column.startswith("-") else f"-{column}"
    return column


def _row(row: LiveSession) -> dict[str, Any]:
    return {
        "id": row.pk,
        "user": row.user,
        "protocol": row.protocol,
        "client": row.client,
        "client_port": row.client_port,
        "server": row.server,
        "listen": row.listen,
        "backend": row.backend,
        "auth_session": row.auth_session,
        "node": row.node.name,
        "started_at": row.started_at.timestamp(),
        "to_front": row.bytes_to_front,
        "to_back": row.bytes_to_back,
        "disconnecting": row.kick_requested_at is not None,
    }
