"""``/metrics`` of the appliance, in Prometheus' text form: its nodes' numbers, and its own."""

import hmac
import ipaddress
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from appliance.lib.clients import address_of
from appliance.stats import registry
from appliance.stats.models import NodeTotals, Stale
from proxycore.contract.exposition import CONTENT_TYPE, exposition, family, sample


def metrics_view(request: HttpRequest) -> HttpResponse:
    """Answer a collector that has the token or comes from one of the networks; else 404.

    Who may not have it is not told that there is something.
    """
    if request.method not in ("GET", "HEAD") or not is_allowed(request):
        return HttpResponse(status=404)
    answer = HttpResponse(text(), content_type=CONTENT_TYPE)
    answer["Cache-Control"] = "no-store"
    return answer


def is_allowed(request: HttpRequest) -> bool:
    """Tell whether somebody may read the metrics."""
    return _has_token(request.headers.get("Authorization", "")) or _is_near(address_of(request))


def _has_token(header: str) -> bool:
    if not settings.METRICS_TOKEN_FILE:
        return False
    scheme, _, given = header.partition(" ")
    try:
        wanted = Path(settings.METRICS_TOKEN_FILE).read_bytes().strip()
    except OSError:
        return False
    same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), wanted)
    return bool(wanted) and scheme.lower() == "bearer" and same


def _is_near(address: str) -> bool:
    try:
        client = ipaddress.ip_address(address)
        networks = [ipaddress.ip_network(one, strict=False) for one in settings.METRICS_NETWORKS]
    except ValueError:
        return False
    return any(client in network for network in networks)


def text() -> str:
    """Give all metrics. Counters of a node begin again with a new boot of it, as they should."""
    names = registry.node_names()
    latest = {row.node: row for row in NodeTotals.objects.order_by("received_at", "pk")}
    rows = [(row, {"node": names.get(node, f"node {node}")}) for node, row in latest.items()]
    own = [
        family(
            f"postroad_{metric.name}",
            metric.help,
            metric.kind,
            [sample(f"postroad_{metric.name}", *one) for one in metric.samples()],
        )
        for metric in (*registry.metrics(), _WAITING)
    ]
    return "".join(own) + exposition(
        ((name, value, node) for row, node in rows for name, value in row.values.items()),
        ((name, numbers, node) for row, node in rows for name, numbers in row.histograms.items()),
    )


_WAITING = registry.Metric(
    "roll_ups_waiting",
    "Buckets of statistics that have to be added up; growing: Celery's worker is away.",
    "gauge",
    lambda: [({}, Stale.objects.count())],
)
