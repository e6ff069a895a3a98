"""The page of a mail host, and draining it."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from appliance.audit.models import Entry
from appliance.fleet.backend import seen
from appliance.fleet.models import Disconnect, LiveSession, Node
from appliance.fleet.services import nodes, sessions
from appliance.history.models import SessionRecord
from appliance.routing import services as routing
from appliance.routing.choices import HealthState, HostHold, HostState, MatchKind
from appliance.routing.health import queries
from appliance.routing.health.models import HostHealth
from appliance.routing.models import MailHost, Route
from appliance.stats.charts import SECONDS
from appliance.stats.drawing import shown
from appliance.stats.levels import Level, floor
from appliance.stats.models import RollUp
from appliance.stats.numbers import Numbers
from proxycore.contract.messages import Sessions
from proxycore.contract.reasons import title
from proxycore.contract.stats import HISTOGRAM_SIZE, quantile_s
from tests.unit.appliance.fleet.wire import hello, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def host(first_host: MailHost) -> MailHost:
    """A mail host that answers, with a route."""
    now = timezone.now()
    HostHealth.objects.create(
        mail_host=first_host,
        protocol="imap",
        address=first_host.address,
        state=HealthState.UP,
        since=now,
        checked_at=now,
        is_good=True,
        in_a_row=5,
        latency_ms=7,
    )
    routing.save_route(Route(mail_host=first_host, match=MatchKind.DOMAIN, value="example.com"))
    return first_host


@pytest.fixture
def node(host: MailHost) -> Node:
    """A node with four sessions there and one elsewhere."""
    enrolled, _ = nodes.enrol("edge-1")
    node = nodes.greet(enrolled, "a-connection", hello(), timezone.now())
    backends = [f"{host.address}:143"] * 3 + [f"{host.address}:110", "198.51.100.1:143"]
    opened = tuple(
        record(f"w1.{number}", user=f"u{number}", backend=backend)
        for number, backend in enumerate(backends)
    )
    sessions.report(node.pk, "a-connection", Sessions(boot_id="b", full=True, opened=opened))
    return node


def _page(host: MailHost, more: str = "") -> str:
    return f"/admin/mail-hosts/{host.pk}/{more}"


def _count(host: MailHost, logins: int, reason: str, failures: int, node: int = 0) -> None:
    backend = f"{host.address}:143"
    counts = {
        f"backend_logins{{backend={backend}}}": logins,
        f"backend_failures{{backend={backend},reason={reason}}}": failures,
    }
    start = floor(Level.MINUTE, timezone.now() - timedelta(minutes=1))
    RollUp.objects.create(
        level=Level.MINUTE,
        node=node,
        start=start,
        covered_ms=60_000,
        data=Numbers(counts, {f"backend_connect_time{{backend={backend}}}": _took(logins)}).pack(),
    )


def _took(logins: int) -> list[int]:
    """All of them the same time."""
    row = [0] * HISTOGRAM_SIZE
    row[5] = logins
    return row


def test_the_page_brings_together_what_is_known(
    host: MailHost, node: Node, as_administrator: Client
) -> None:
    _count(host, 17, "backend_timeout", 4)
    SessionRecord.objects.create(
        node=node.pk, session="s", protocol="imap", login="carol@example.com", account="carol",
        backend=f"{host.address}:143", reason="backend_timeout", ended_at=timezone.now(),
        address=b"",
    )  # fmt: skip
    text = as_administrator.get(_page(host)).text
    for said in ("IMAP up", "7 ms", "17", "Mail server too slow: 4", "carol@example.com"):
        assert said in text, said
    assert "domain example.com" in text
    assert '<dt>Failed in 5 min</dt><dd class="pr-text-danger">4</dd>' in text
    assert text.count("chart-card") == 6
    part = as_administrator.get(_page(host, "?part=1")).text
    assert "<html" not in part
    assert "198.51.100.1" not in part


def test_what_a_node_does_not_reach_is_told_beside_what_the_appliance_does(
    host: MailHost, node: Node, as_administrator: Client
) -> None:
    other, idle = nodes.enrol("edge-2")[0], nodes.enrol("edge-3")[0]
    _count(host, 30, "backend_rejected", 50, node=node.pk)
    _count(host, 0, "backend_timeout", 4, node=other.pk)
    now = timezone.now()
    sights = seen.by_nodes(queries.backends(host), now)
    assert [(one.node, one.verdict, one.why) for one in sights] == [
        ("edge-2", "logins break", title("backend_timeout")),
        ("edge-1", "logins come through", ""),
        (idle.name, "nobody tried", ""),
    ]
    p50, p95 = (quantile_s(_took(30), share) for share in (0.5, 0.95))
    assert sights[1].connect == f"{shown(p50, SECONDS)}, {shown(p95, SECONDS)}"
    text = as_administrator.get(_page(host, "?part=1")).text
    assert "IMAP: the appliance reaches it, but node edge-2 does not." in text
    HostHealth.objects.update(state=HealthState.DOWN, is_good=False)
    text = as_administrator.get(_page(host, "?part=1")).text
    assert "the appliance does not reach it, but logins come through at node edge-1." in text


def test_draining_holds_logins_and_moves_sessions_out(
    host: MailHost, node: Node, as_administrator: Client
) -> None:
    asked = {"hold": HostHold.WAIT, "pace": "20"}
    answer = as_administrator.post(_page(host, "drain/"), asked, follow=True)
    assert "sessions being moved out: 4" in answer.text
    host.refresh_from_db()
    assert (host.state, host.hold) == (HostState.DRAINING, HostHold.WAIT)
    waiting = LiveSession.objects.filter(kick_due_at__isnull=False)
    assert {row.backend for row in waiting} == {f"{host.address}:143", f"{host.address}:110"}
    assert waiting.count() == 4
    assert Disconnect.objects.count() == 2
    assert "4 sessions left; 4 will be disconnected in turn" in answer.text
    assert Entry.objects.filter(name=str(host)).exists()

    answer = as_administrator.post(_page(host, "resume/"), follow=True)
    assert "takes logins again" in answer.text
    host.refresh_from_db()
    assert host.state == HostState.UP
    assert not LiveSession.objects.filter(kick_due_at__isnull=False).exists()


def test_sessions_may_stay(host: MailHost, node: Node, as_administrator: Client) -> None:
    asked = {"hold": HostHold.LATER, "pace": "0"}
    answer = as_administrator.post(_page(host, "drain/"), asked, follow=True)
    assert "its sessions stay" in answer.text
    assert not Disconnect.objects.exists()
    as_administrator.post(_page(host, "drain/"), {"hold": "never", "pace": "0"})
    host.refresh_from_db()
    assert host.hold == HostHold.LATER


def test_who_may_do_what(host: MailHost, node: Node, as_viewer: Client, viewer: User) -> None:
    assert as_viewer.get(_page(host)).status_code == 200
    asked = {"hold": HostHold.LATER, "pace": "20"}
    assert as_viewer.post(_page(host, "drain/"), asked).status_code == 403
    viewer.user_permissions.add(Permission.objects.get(codename="change_mailhost"))
    assert as_viewer.post(_page(host, "drain/"), asked).status_code == 403
    assert as_viewer.post(_page(host, "drain/"), {**asked, "pace": "0"}).status_code == 302
    assert as_viewer.get(_page(host, "drain/")).status_code == 405
