"""The live index follows the nodes' reports."""

import pytest
from django.utils import timezone

from appliance.fleet.choices import CloseCode
from appliance.fleet.models import LiveSession, Node
from appliance.fleet.services import commands, nodes, sessions
from proxycore.contract.messages import Sessions
from proxycore.contract.session import SessionBytes
from tests.unit.appliance.fleet.wire import hello, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def node(enrolled: tuple[Node, str]) -> Node:
    return nodes.greet(enrolled[0], "c", hello(), timezone.now())


def report(node: Node, connection: str = "c", *, full: bool = False, **what: object) -> bool:
    return sessions.report(node.pk, connection, Sessions(boot_id="b", full=full, **what))


def shown() -> set[str]:
    return set(LiveSession.objects.values_list("session", flat=True))


def test_a_full_report_replaces_and_changes_add(node: Node) -> None:
    report(node, full=True, opened=(record("a"), record("b")))
    report(node, opened=(record("c"),), closed=("a", "unknown"))
    assert shown() == {"b", "c"}
    report(node, full=True, opened=(record("c"),))
    assert shown() == {"c"}
    report(node, full=True)
    assert shown() == set()


def test_a_repeated_report_changes_nothing(node: Node) -> None:
    count = SessionBytes(session="a", bytes_to_front=5, bytes_to_back=6)
    for _ in range(2):
        report(node, opened=(record("a"), record("a")), counted=(count,))
    row = LiveSession.objects.get()
    assert (row.bytes_to_front, row.bytes_to_back) == (5, 6)


def test_what_the_auth_service_calls_a_session_is_kept(node: Node) -> None:
    report(node, opened=(record("a", auth_session="s-1"), record("b")))
    names = LiveSession.objects.values_list("session", "auth_session")
    assert set(names) == {("a", "s-1"), ("b", "")}


def test_a_full_report_keeps_a_disconnect_that_is_on_its_way(node: Node) -> None:
    report(node, full=True, opened=(record("a"),))
    commands.kick_sessions([LiveSession.objects.get().pk], by=None)
    report(node, full=True, opened=(record("a"),))
    assert LiveSession.objects.get().kick_requested_at is not None


def test_a_node_cannot_touch_the_rows_of_another(node: Node) -> None:
    other, _ = nodes.enrol("edge-2")
    other = nodes.greet(other, "d", hello(), timezone.now())
    report(node, full=True, opened=(record("a", user="mine"),))
    report(other, "d", full=True, opened=(record("a", user="theirs"),), closed=("a",))
    report(other, "d", closed=("a",))
    assert LiveSession.objects.get().user == "mine"


def test_many_sessions_take_few_queries(node: Node, django_assert_max_num_queries: object) -> None:
    opened = tuple(record(f"s{i}") for i in range(2000))
    counted = tuple(
        SessionBytes(session=f"s{i}", bytes_to_front=i, bytes_to_back=i) for i in range(2000)
    )
    assert callable(django_assert_max_num_queries)
    # SQLite takes 55 of these rows per statement; one each would be thousands
    with django_assert_max_num_queries(46):
        report(node, full=True, opened=opened)
        report(node, counted=counted)
    assert LiveSession.objects.get(session="s1999").bytes_to_front == 1999


def test_counts_beyond_the_database_are_clamped(node: Node) -> None:
    report(node, opened=(record("a"),))
    count = SessionBytes(session="a", bytes_to_front=2**63 - 1, bytes_to_back=0)
    report(node, counted=(count,))
    assert LiveSession.objects.get().bytes_to_front == 2**63 - 1


def test_a_stale_connection_writes_nothing(node: Node) -> None:
    with pytest.raises(nodes.Dismissed) as raised:
        report(node, "older", full=True, opened=(record("a"),))
    assert raised.value.code == CloseCode.REPLACED
    assert shown() == set()
