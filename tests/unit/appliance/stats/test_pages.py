"""The pages of charts, and what /metrics tells whom."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from appliance.fleet.models import Node
from appliance.stats import services
from proxycore.contract.messages import Stats
from proxycore.contract.stats import HISTOGRAM_SIZE

pytestmark = pytest.mark.django_db

PAGE = "/admin/stats/rollup/charts/"


@pytest.fixture
def node() -> Node:
    """A node that has told of 300 logins in the last minute."""
    made = Node.objects.create(name="mx1", token_hash="h")
    now = timezone.now()
    row = [0] * HISTOGRAM_SIZE
    row[3], row[-1] = 300, 900_000
    for ago_s, logins in ((90, 0), (30, 300)):
        report = Stats(
            boot_id="b",
            seq=100 - ago_s,
            values={
                "logins{server=imap <b>}": logins,
                "backend_logins{backend=[::1]:143}": logins,
                "sessions_open": 12,
                "server_workers{server=imap <b>,protocol=imap}": 1,
            },
            histograms={"auth_time{server=imap <b>}": row if logins else [0] * HISTOGRAM_SIZE},
        )
        services.ingest(made.pk, report, now - timedelta(seconds=ago_s))
    return made


@pytest.mark.parametrize("by", ["outcome", "server", "protocol", "backend", "node"])
@pytest.mark.parametrize("span", ["now", "hour", "day", "week", "month", "year"])
def test_every_view_is_drawn(as_viewer: Client, node: Node, span: str, by: str) -> None:
    answer = as_viewer.get(PAGE, {"range": span, "by": by})
    assert answer.status_code == 200
    text = answer.content.decode()
    assert text.count("<svg") >= 6
    assert "<b>}" not in text
    if span == "now" and by == "node":
        assert "mx1" in text


@pytest.mark.parametrize(
    ("by", "only"),
    [
        ("server", "imap <b>"),
        ("protocol", "imap"),
        ("backend", "[::1]:143"),
        ("node", "{node}"),
    ],
)
def test_one_of_many_is_looked_at_alone(as_viewer: Client, node: Node, by: str, only: str) -> None:
    asked = {"by": by, "only": only.format(node=node.pk), "part": "1"}
    text = as_viewer.get(PAGE, asked).content.decode()
    assert re.search(r"Good <b>[1-9][.\d]*/s</b>", text)
    other = as_viewer.get(PAGE, asked | {"only": "987654"}).content.decode()
    assert re.search(r"Good <b>(0/s|–)</b>", other)


def test_a_part_is_the_charts_alone(as_viewer: Client, node: Node) -> None:
    text = as_viewer.get(PAGE, {"part": "1"}).content.decode()
    assert "<html" not in text
    assert "<svg" in text
    small = as_viewer.get(PAGE, {"small": "1"}).content.decode()
    assert small.count("<svg") == 4


def test_what_makes_no_sense_is_the_default(as_viewer: Client) -> None:
    asked = {"range": "never", "by": "whim", "only": "x" * 5000}
    assert as_viewer.get(PAGE, asked).status_code == 200
    assert as_viewer.get(PAGE, {"by": "node", "only": "9" * 190}).status_code == 200


def test_charts_need_their_permission_also_on_the_home_page(newcomer: User, node: Node) -> None:
    client = Client()
    client.force_login(newcomer)
    assert client.get(PAGE).status_code in (302, 403)
    assert b"<svg class=" not in client.get("/admin/").content
    newcomer.user_permissions.add(Permission.objects.get(codename="view_rollup"))
    assert client.get(PAGE).status_code == 200
    assert b'id="now-charts"' in client.get("/admin/").content


def test_metrics_are_for_who_has_the_token(
    client: Client, node: Node, settings, tmp_path: Path
) -> None:
    assert client.get("/metrics").status_code == 404
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    settings.METRICS_TOKEN_FILE = str(file)
    for wrong in ("", "Bearer ", "Bearer s3cre", "Basic s3cret", "s3cret", "Bearer \xe9"):
        assert client.get("/metrics", headers={"Authorization": wrong}).status_code == 404
    answer = client.get("/metrics", headers={"Authorization": "Bearer s3cret"})
    families = {one.name: one for one in text_string_to_metric_families(answer.content.decode())}
    (logins,) = families["postroad_logins"].samples
    assert (logins.labels, logins.value) == ({"node": "mx1", "server": "imap <b>"}, 300)
    states = {one.labels["state"]: one.value for one in families["postroad_nodes"].samples}
    assert states["new"] == 1
    assert families["postroad_auth_time_seconds"].type == "histogram"
    assert families["postroad_roll_ups_waiting"].samples[0].value > 0
    file.write_text("")
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_metrics_are_for_networks_that_are_named(client: Client, settings) -> None:
    settings.METRICS_NETWORKS = ["192.0.2.0/24"]
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="192.0.3.7").status_code == 404
    assert client.post("/metrics", REMOTE_ADDR="192.0.2.7").status_code in (403, 404)


def test_no_metric_is_of_a_user_or_a_client(client: Client, node: Node, settings) -> None:
    settings.METRICS_NETWORKS = ["127.0.0.1"]
    text = client.get("/metrics").content.decode()
    labels = {
        label
        for one in text_string_to_metric_families(text)
        for sample in one.samples
        for label in sample.labels
    }
    assert labels <= {"node", "server", "backend", "reason", "protocol", "state", "le"}
