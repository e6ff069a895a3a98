"""Tells people which mail hosts are down, as probes find them and as logins fare."""

from collections.abc import Mapping
from datetime import datetime
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

KINDS: Final = (
    registry.Kind(
        DOWN,
        "A mail host is down",
        "It answered before, and does not any more when the appliance connects to it.",
    ),
    registry.Kind(
        FAILING,
        "Logins fail at a mail host",
        "More than half of the logins of five minutes broke there, wrong passwords not counted.",
    ),
)


def tell(host: MailHost, by_protocol: Mapping[str, list[HostHealth]]) -> None:
    """Raise an alert for each protocol that is down, fully or in part; clear the others."""
    url = reverse("backend", args=(host.pk,))
    wrong = set()
    # of what an operator set down he need not be told
    rows_of = {} if host.state == HostState.DOWN else by_protocol
    for protocol, rows in rows_of.items():
        down = [row for row in rows if row.state == HealthState.DOWN]
        if not down:
            continue
        about = _about(host, protocol)
        wrong.add(about)
        is_all = policy.together(row.state for row in rows) is HealthState.DOWN
        where = down[0].address if len(down) == 1 else f"{len(down)} addresses"
        text = (
            f"{about} does not answer at {where}: {down[0].reason or 'it is back, for how long?'}."
        )
        if not is_all:
            text += " Its other addresses do."
        is_critical = is_all and queries.has_logins(host)
        severity = "critical" if is_critical else "warning"
        alerts.raise_alert(DOWN, about, text, severity=severity, url=url)
    mine = {_about(host, protocol) for protocol in ("imap", "pop3", "smtp")}
    for about in (open_alerts.open_about(DOWN) & mine) - wrong:
        alerts.clear_alert(DOWN, about, "It answers again, or is not asked any more.")


def forget_deleted() -> None:
    """Clear the alerts of mail hosts that are there no more."""
    known = {
        _about(host, protocol)
        for host in MailHost.objects.all()
        for protocol in ("imap", "pop3", "smtp")
    }
    for about in open_alerts.open_about(DOWN) - known:
        alerts.clear_alert(DOWN, about, "The mail host was deleted.")


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
