"""Totals are cumulative: lost, repeated and reordered reports cost nothing but time."""

from datetime import UTC, datetime, timedelta

import pytest

from appliance.stats import queries, services
from appliance.stats.models import NodeTotals
from proxycore.contract.messages import Stats

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LOGINS = "logins{server=imap}"


def ingest(node: int, boot: str, seq: int, **more: int) -> bool:
    values = {LOGINS: seq * 10, "sessions_open": seq, **more}
    at = NOW + timedelta(seconds=seq)
    return services.ingest(node, Stats(boot_id=boot, seq=seq, values=values), at)


def test_the_latest_report_counts_whatever_the_order() -> None:
    assert ingest(1, "a", 1)
    assert ingest(1, "a", 5)
    assert not ingest(1, "a", 3)
    assert not ingest(1, "a", 5)
    assert queries.totals()[LOGINS] == 50


def test_a_new_boot_adds_to_counters_and_replaces_gauges() -> None:
    ingest(1, "a", 7)
    services.ingest(
        1,
        Stats(boot_id="b", seq=1, values={LOGINS: 3, "sessions_open": 2}),
        NOW + timedelta(minutes=1),
    )
    ingest(2, "c", 1)
    assert queries.totals() == {LOGINS: 70 + 3 + 10, "sessions_open": 2 + 1}


def test_the_node_page_has_the_latest_boot() -> None:
    ingest(1, "a", 1)
    ingest(1, "b", 9)
    totals = queries.node_totals(1)
    assert totals is not None
    assert totals.boot_id == "b"
    assert queries.node_totals(2) is None


@pytest.mark.parametrize(
    "name",
    [
        "unknown",
        "logins",
        "logins{server}",
        "logins{reason=x}",
        "sessions_open{server=imap}",
        "logins{server=\x00}",
        "{",
        "",
    ],
)
def test_series_nobody_declared_are_left_out(name: str) -> None:
    ingest(1, "a", 1, **{name: 1})
    assert set(NodeTotals.objects.get().values) == {LOGINS, "sessions_open"}


def test_forgetting_a_node_forgets_its_boots() -> None:
    ingest(1, "a", 1)
    ingest(1, "b", 1)
    ingest(2, "c", 1)
    services.forget(1)
    assert queries.totals()[LOGINS] == 10
