"""Tells people when logins begin to fail, whether somebody guesses or something is broken.

The rule is simple on purpose: failed logins of a server block in the last five minutes, against the
median of the five-minute spans of the two hours before. The median does not mind single bad spans,
and an alarm that goes on for an hour becomes the usual.
"""

from datetime import datetime, timedelta
from statistics import median
from typing import Final

from django.conf import settings
from django.urls import reverse

from appliance.alerts import queries as open_alerts
from appliance.alerts import services as alerts
from appliance.stats.levels import LENGTH, Level, floor
from appliance.stats.models import RollUp
from appliance.stats.numbers import Numbers, unpack
from appliance.stats.rolling import ALL_NODES
from proxycore.contract.reasons import FAILED_LOGINS
from proxycore.contract.stats import LOGIN_FAILURES, SESSIONS_CLOSED, split_series

KIND: Final = "login.failures"

SPAN: Final = timedelta(minutes=5)
SPANS: Final = 24
"""Spans that say what is usual."""

_CAUSES: Final = frozenset(reason.value for reason in FAILED_LOGINS)


def failed_logins(numbers: Numbers) -> dict[str, int]:
    """Give failed logins by server block: refused ones, and those that came to nothing."""
    failed: dict[str, int] = {}
    for name, count in numbers.counts.items():
        stat, labels = split_series(name)
        if stat is LOGIN_FAILURES or (stat is SESSIONS_CLOSED and labels[1] in _CAUSES):
            failed[labels[0]] = failed.get(labels[0], 0) + count
    return failed


def watch_failures(now: datetime) -> None:
    """Raise an alert for each server block at which more logins fail than usual; clear others."""
    end = floor(Level.MINUTE, now - LENGTH[Level.MINUTE])
    rows = RollUp.objects.filter(
        level=Level.MINUTE, node=ALL_NODES, start__gte=end - SPAN * (SPANS + 1), start__lt=end
    )
    spans: list[dict[str, int]] = [{} for _ in range(SPANS + 1)]
    for start, data in rows.values_list("start", "data"):
        span = spans[(end - start - timedelta(microseconds=1)) // SPAN]
        for server, count in failed_logins(unpack(data)).items():
            span[server] = span.get(server, 0) + count
    servers = {name for span in spans for name in span}
    for server in servers:
        last, usual = spans[0].get(server, 0), median(span.get(server, 0) for span in spans[1:])
        if is_alarming(last, usual):
            text = (
                f"{last} logins failed at {server} in the last five minutes; usual are"
                f" {usual:g}. The chart of failed logins tells why."
            )
            url = f"{reverse('admin:stats_charts')}?range=hour&by=server&only={server}"
            alerts.raise_alert(KIND, server, text, url=url)
        else:
            alerts.clear_alert(KIND, server, f"{last} in the last five minutes.")
    for server in open_alerts.open_about(KIND) - servers:
        alerts.clear_alert(KIND, server, "Nothing has been counted there for two hours.")


def is_alarming(last: int, usual: float) -> bool:
    """Tell whether so many failed logins are a reason to tell people."""
    least = settings.LOGIN_ALARM_LEAST
    return bool(least) and last >= least and last >= settings.LOGIN_ALARM_FACTOR * usual
