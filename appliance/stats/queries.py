"""Read the totals."""

from collections import Counter

from appliance.stats.models import NodeTotals
from proxycore.contract.stats import parse_series


def totals() -> dict[str, int]:
    """Give the fleet's totals by series: counters over all boots, gauges of each latest boot."""
    summed: Counter[str] = Counter()
    latest: dict[int, dict[str, int]] = {}
    for node, values in NodeTotals.objects.order_by("received_at", "pk").values_list(
        "node", "values"
    ):
        latest[node] = values
        summed.update({name: value for name, value in values.items() if not _is_gauge(name)})
    for values in latest.values():
        summed.update({name: value for name, value in values.items() if _is_gauge(name)})
    return dict(sorted(summed.items()))


def node_totals(node: int) -> NodeTotals | None:
    """Give the latest totals of one node, or None when it has reported none."""
    return NodeTotals.objects.filter(node=node).order_by("-received_at", "-pk").first()


def _is_gauge(name: str) -> bool:
    return parse_series(name)[0].gauge
