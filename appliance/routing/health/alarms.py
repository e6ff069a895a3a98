"""Tells people which mail hosts are down, as probes find them and as logins fare."""

from collections.abc import Mapping
from datetime import datetime
from itertools import chain
from typing import Final

from django.urls import reverse

from appliance.alerts import queries as open_alerts
from appliance.alerts import registry
from appliance.alerts import services as alerts
from appliance.routing.choices import HealthState, HostState
from appliance.routing.health import policy, queries
from appliance.routing.health.models import HostHealth
from appliance.routing.models import MailHost
from appliance.stats import backends as stats
from proxycore.contract.reasons import EXPLANATIONS, CloseReason

DOWN: Final = "backend.down"
FAILING: Final = "backend.failing"

LEAST: Final = 20
"""Failures in five minutes below which nobody is told."""


def tell(host: MailHost, by_protocol: Mapping[str, list[HostHealth]], now: datetime) -> None:
    """Raise an alert for each protocol that is down, fully or in part; clear the others.

    Nobody is told of what no login depends on: set down by an operator, or without any route.
    """
    uses = queries.used([host])[host.pk]
    standings = queries.standings(chain.from_iterable(by_protocol.values()), uses)
    for protocol in ("imap", "pop3", "smtp"):
        rows = by_protocol.get(protocol, [])
        down = [row for row in rows if row.state == HealthState.DOWN]
        about = _about(host, protocol)
        if host.state == HostState.DOWN:
            alerts.clear_alert(DOWN, about, "An operator has set the mail host down.")
        elif not rows:
            alerts.clear_alert(DOWN, about, "It is not asked any more.")
        elif protocol not in uses:
            alerts.clear_alert(DOWN, about, "No route leads there any more.")
        elif not down:
            alerts.clear_alert(DOWN, about, "It answers again.")
        else:
            others = [one for one in standings if one.protocol != protocol]
            _raise(host, protocol, rows, policy.summed_up(others, now)[0], now)


def _raise(
    host: MailHost, protocol: str, rows: list[HostHealth], others: str, now: datetime
) -> None:
    about, url = _about(host, protocol), reverse("backend", args=(host.pk,))
    down = [row for row in rows if row.state == HealthState.DOWN]
    is_all = policy.together(row.state for row in rows) is HealthState.DOWN
    where = down[0].address if len(down) == 1 else f"{len(down)} addresses"
    since = policy.shown_since(min(row.since for row in down), now)
    why = down[0].reason or "it is back, for how long?"
    text = f"{about} does not answer at {where} {since}: {why}."
    if not is_all:
        text += " Its other addresses do."
    if others:
        text += f" The mail host otherwise: {others}."
    severity = "critical" if is_all else "warning"
    alerts.raise_alert(DOWN, about, text, severity=severity, url=url)


def watch_logins(now: datetime) -> None:
    """Raise an alert for each mail host at which most logins break, as nodes count them."""
    wrong = set()
    lately = stats.lately(now)
    for host in MailHost.objects.all() if lately else ():
        for backend, (protocol, _) in queries.backends(host).items():
            found = lately.get(backend)
            if found is None or found.broken < LEAST or found.broken <= found.logins:
                continue
            about = _about(host, protocol)
            wrong.add(about)
            why = EXPLANATIONS[CloseReason(found.worst)].replace("`", "")
            text = (
                f"{found.broken} logins broke at {about}, {backend}, in five minutes, and"
                f" {found.logins} came through. Most often: {why}"
            )
            alerts.raise_alert(FAILING, about, text, url=reverse("backend", args=(host.pk,)))
    for about in open_alerts.open_about(FAILING) - wrong:
        alerts.clear_alert(FAILING, about, "Logins come through again, or nobody tries.")


def _about(host: MailHost, protocol: str) -> str:
    return f"{host.name} {protocol.upper()}"


def _subjects() -> list[str]:
    return [
        _about(host, protocol)
        for host in MailHost.objects.only("name")
        for protocol in ("imap", "pop3", "smtp")
    ]


KINDS: Final = (
    registry.Kind(
        DOWN,
        "A mail host is down",
        "It answered before, and does not any more when the appliance connects to it.",
        _subjects,
    ),
    registry.Kind(
        FAILING,
        "Logins fail at a mail host",
        "More than half of the logins of five minutes broke there, wrong passwords not counted.",
        _subjects,
    ),
)
