"""The home page: what an operator wants to know first, and what is left to do at the beginning."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from appliance.fleet import alarms, live, queries
from appliance.fleet.choices import TONES, NodeState
from appliance.fleet.models import LiveSession, Node
from appliance.publish import queries as publish
from appliance.publish.models import ConfigRevision
from appliance.routing.models import MailHost, Route
from appliance.servers.models import ServerBlock
from appliance.stats import board
from appliance.stats import queries as stats
from proxycore.contract.reasons import CloseReason
from proxycore.contract.stats import (
    BYTES_TO_BACK,
    BYTES_TO_FRONT,
    LOGIN_FAILURES,
    LOGINS,
    SESSIONS_CLOSED,
    split_series,
)

_REVISIONS_SHOWN: Final = 5
_CHANGES_SHOWN: Final = 6
_CONNECTED: Final = (NodeState.RUNNING, NodeState.BEHIND, NodeState.REFUSED, NodeState.DRAINING)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do before the first mail client can log in."""

    text: str
    link: str
    done: bool


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Give the home page's context, each part to those who may see it."""
    may = request.user.has_perm
    context["title"] = "Overview"
    if may("fleet.view_node"):
        context |= _nodes()
    if may("fleet.view_livesession"):
        context["live_sessions"] = LiveSession.objects.count()
    if may("stats.view_rollup"):
        context["charts"] = board.home(timezone.now())
    if may("publish.view_configrevision"):
        context |= _publishing()
    if may("routing.view_route") and may("servers.view_serverblock"):
        steps = _steps()
        context["steps"] = [] if all(step.done for step in steps) else steps
        context["listeners"] = live.listeners()
    return context


def _nodes() -> dict[str, Any]:
    statuses = queries.statuses(timezone.now())
    totals: Counter[str] = Counter()
    refused_there = 0
    for name, value in stats.totals().items():
        stat, labels = split_series(name)
        totals[stat.name] += value
        if stat is SESSIONS_CLOSED and labels[1] == CloseReason.BACKEND_REJECTED:
            refused_there += value
    return {
        "nodes": [
            {
                "node": node,
                "status": status,
                "tone": TONES[status.state],
                "sessions": 0 if _are_in_text(node, status) else node.sessions,
            }
            for node, status in statuses
        ],
        "connected": sum(status.state in _CONNECTED for _, status in statuses),
        "drained": alarms.drained(statuses),
        "logins_good": totals[LOGINS.name],
        "logins_bad": totals[LOGIN_FAILURES.name] + refused_there,
        "refused_here": totals[LOGIN_FAILURES.name],
        "refused_there": refused_there,
        "to_front": totals[BYTES_TO_FRONT.name],
        "to_back": totals[BYTES_TO_BACK.name],
    }


def _are_in_text(node: Node, status: queries.Status) -> bool:
    """Tell whether the words for a node's state, one that drains, count its sessions already."""
    return status.state is NodeState.DRAINING and node.is_draining and node.is_to_drain


def _publishing() -> dict[str, Any]:
    pending = publish.pending()
    newest = ConfigRevision.objects.select_related("author").defer("document")
    return {
        "problems": pending.problems,
        "changes": pending.changes[:_CHANGES_SHOWN],
        "more_changes": max(0, len(pending.changes) - _CHANGES_SHOWN),
        "revisions": newest[:_REVISIONS_SHOWN],
        "rollout": publish.rollout(),
    }


def _steps() -> list[Step]:
    return [
        Step(
            "Say where mail is: add a mail host",
            reverse("admin:routing_mailhost_add"),
            MailHost.objects.exists(),
        ),
        Step(
            "Say who goes there: add a route, for a start for “everybody else”",
            reverse("admin:routing_route_add"),
            Route.objects.filter(enabled=True).exists(),
        ),
        Step(
            "Say where mail clients connect: add a server block",
            reverse("admin:servers_serverblock_add"),
            ServerBlock.objects.filter(enabled=True).exists(),
        ),
        Step(
            "Publish it to the nodes",
            reverse("admin:publish_configrevision_changelist"),
            publish.current() is not None,
        ),
        Step(
            "Log in with a mail client and watch it under Live sessions",
            reverse("admin:fleet_livesession_changelist"),
            any(name.startswith(f"{LOGINS.name}{{") and n for name, n in stats.totals().items()),
        ),
    ]
