"""What the page of a mail host shows, read from those who know: probes, nodes, history, routes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Q

from appliance.fleet.backend import seen
from appliance.fleet.backend.seen import Sight
from appliance.fleet.models import LiveSession
from appliance.history import causes, shown
from appliance.history import names as node_names
from appliance.history import queries as history
from appliance.routing.choices import HealthState, HostState
from appliance.routing.health import policy, queries
from appliance.routing.health.models import HostHealth
from appliance.routing.models import MailHost, Route
from appliance.stats import backends as stats
from appliance.stats import board, drawing
from appliance.stats.backends import Lately
from appliance.stats.charts import SECONDS
from appliance.stats.frames import SPANS

_FAILURES_SHOWN: Final = 10
_LOOKED_BACK: Final = timedelta(hours=1)

STATES: Final[Mapping[str, tuple[str, str]]] = {
    HostState.UP: ("takes logins", "success"),
    HostState.DRAINING: ("draining", "warning"),
    HostState.DOWN: ("set down", "danger"),
}
TONES: Final[Mapping[str, str]] = {
    HealthState.UP: "success",
    HealthState.DOWN: "danger",
    HealthState.UNKNOWN: "",
}


@dataclass(frozen=True, slots=True)
class Door:
    """One address and protocol."""

    protocol: str
    backend: str
    """As nodes name it."""
    health: HostHealth | None
    tone: str
    sessions: int
    lately: Lately
    reasons: list[tuple[str, int, str]]
    """Why logins failed there: in words, how often, and what that means."""

    @property
    def state(self) -> str:
        """Give what probes found."""
        if self.health is None:
            return "not probed"
        is_silent = self.health.state == HealthState.UNKNOWN
        return "never answered" if is_silent else self.health.get_state_display()

    @property
    def since(self) -> datetime | None:
        """Give since when; not told of what has never answered."""
        known = self.health is not None and self.health.state != HealthState.UNKNOWN
        return self.health.since if known and self.health else None

    @property
    def reason(self) -> str:
        """Say what was wrong with the latest probe, or could not be looked at."""
        if self.health is None:
            return ""
        if self.health.is_good:
            return self.health.reason
        if self.health.state == HealthState.UP:
            return (
                f"{self.health.in_a_row} of {policy.DOWN_AFTER} before down: {self.health.reason}"
            )
        return self.health.reason

    @property
    def connect_p95(self) -> str:
        """Say how long 95 of 100 connections took at most."""
        return drawing.shown(self.lately.connect_p95_s, SECONDS)

    @property
    def login_p95(self) -> str:
        """Likewise of logins there."""
        return drawing.shown(self.lately.login_p95_s, SECONDS)

    @property
    def has_failures(self) -> bool:
        """Tell whether more logins break there than come through."""
        return self.lately.broken > self.lately.logins


@dataclass(slots=True)
class Draining:
    """How far a mail host is emptied."""

    left: int
    """Sessions still there."""
    waiting: int
    """Of these, those that have their turn yet to come."""
    leaving: int
    """Of these, those whose node was told."""


@dataclass(slots=True)
class Page:
    """Everything on the page."""

    host: MailHost
    state: str
    tone: str
    health: str
    health_tone: str
    doors: list[Door]
    draining: Draining
    routes: list[Route]
    totals: Lately
    sights: list[Sight]
    """What nodes saw."""
    contrasts: list[str]
    """Where they saw something else than probes."""


def build(host: MailHost, now: datetime) -> Page:
    """Read the page of a mail host."""
    doors = _doors(host, now)
    state, tone = STATES[host.state]
    standings = queries.standings(queries.health(host), queries.used([host])[host.pk])
    health, health_tone = policy.summed_up(standings, now)
    if not standings:
        health = "not probed yet" if host.is_probed else "not probed"
    sights = seen.by_nodes(queries.backends(host), now)
    totals = Lately(
        sum(door.lately.logins for door in doors),
        sum((door.lately.failures for door in doors), Counter()),
    )
    rows = [door.backend for door in doors]
    return Page(
        host,
        state,
        tone,
        health,
        health_tone,
        doors,
        draining(rows),
        queries.routes_to(host),
        totals,
        sights[: seen.MOST],
        seen.contrasts(standings, sights),
    )


def charts(host: MailHost, span: str, now: datetime) -> list[board.Drawn]:
    """Draw what nodes count of a mail host."""
    return board.of_backends(set(queries.backends(host)), SPANS.get(span, SPANS["hour"]), now)


def failures(host: MailHost, now: datetime) -> list[shown.Line]:
    """Give the latest logins that failed there."""
    known = node_names.all_names()
    backends = list(queries.backends(host))
    rows = history.failures_at(backends, now - _LOOKED_BACK, _FAILURES_SHOWN)
    return [shown.line(row, known) for row in rows]


def draining(backends: list[str]) -> Draining:
    """Count the sessions there."""
    counts: dict[str, Any] = LiveSession.objects.filter(backend__in=backends).aggregate(
        left=Count("pk"),
        waiting=Count("pk", filter=Q(kick_due_at__isnull=False)),
        leaving=Count("pk", filter=Q(kick_requested_at__isnull=False)),
    )
    return Draining(counts["left"], counts["waiting"], counts["leaving"])


def _doors(host: MailHost, now: datetime) -> list[Door]:
    """Give the doors that probes know, or that nodes tell of."""
    known = {(row.protocol, row.address): row for row in queries.health(host)}
    backends = queries.backends(host)
    lately = stats.lately(now)
    rows = LiveSession.objects.filter(backend__in=list(backends)).order_by()
    sessions = dict(rows.values_list("backend").annotate(Count("pk")))
    served = {protocol.value for protocol in queries.served()}
    found = []
    for backend, key in backends.items():
        health, counted = known.get(key), lately.get(backend, Lately())
        is_named = key[1] == host.address and not host.is_probed and key[0] in served
        if health is None and not is_named and backend not in lately and backend not in sessions:
            continue
        reasons = [
            (causes.title(reason), count, causes.meaning(reason))
            for reason, count in counted.failures.most_common()
        ]
        tone = TONES[health.state] if health else ""
        if health and health.state == HealthState.UP and health.reason:
            tone = "warning"
        found.append(
            Door(key[0], backend, health, tone, sessions.get(backend, 0), counted, reasons)
        )
    return sorted(found, key=lambda door: (door.protocol, door.backend))
