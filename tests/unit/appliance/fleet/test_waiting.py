"""Search, sort and page of the sessions before login."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.cache import caches
from django.utils import timezone

from appliance.fleet import waiting as page_of
from appliance.fleet.choices import WaitingState
from appliance.fleet.models import Node
from appliance.fleet.services import nodes
from appliance.fleet.services import waiting as services
from appliance.servers.models import NodeGroup
from proxycore.contract.messages import MOST_WAITING
from proxycore.contract.session import Standing
from tests.unit.appliance.fleet.wire import hello, waiter, waiting_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    caches["shared"].clear()
    yield
    caches["shared"].clear()


@pytest.fixture
def node(enrolled: tuple[Node, str]) -> Node:
    """A connected node, called edge-1."""
    return nodes.greet(enrolled[0], "a", hello(), timezone.now())


@pytest.fixture
def crowd(node: Node) -> Node:
    """Four sessions of all kinds."""
    sessions = (
        waiter("w1.1", age_s=400.0),
        waiter(
            "w1.2",
            age_s=30.0,
            user="bob@example.org",
            standing=Standing.CONNECTING,
            backend="198.51.100.1:143",
            tls="TLSv1.2",
        ),
        waiter("w1.3", age_s=20.0, client="192.0.2.200", protocol="smtp", server="submission"),
        waiter(
            "w1.4",
            age_s=10.0,
            client="2001:db8::7",
            standing=Standing.HANDSHAKE,
            listen="*:993",
        ),
    )
    services.report(node.pk, "a", waiting_of(*sessions))
    return node


def found(text: str) -> list[str]:
    """Give the numbers of the sessions that a search finds."""
    page = page_of.page(page_of.View(search=text, sort="age"), timezone.now())
    return sorted(row["session"][-1] for row in page["rows"])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "1234"),
        ("BOB", "2"),
        ("user:bob", "2"),
        ("user=bob", ""),
        ('user="bob@example.org"', "2"),
        ("198.51", "2"),
        ("server:198.51.100.1:143", "2"),
        ("192.0.2.0/24", "123"),
        ("client=192.0.2.200", "3"),
        ("client:192.0.2.7", "12"),
        ("2001:db8::/32", "4"),
        ("client:300.1.2.3/9", ""),
        ("smtp", "3"),
        ("block=submission", "3"),
        ("listener:993", "4"),
        ("node:edge", "1234"),
        ("node=edge", ""),
        ("tls:1.2", "2"),
        ("tls:none", "134"),
        ("state:connecting", "2"),
        ("handshake", "4"),
        ("state:open", ""),
        ("older:1m", "1"),
        ("newer:1m", "234"),
        ("newer:soon", ""),
        ("smtp older:1m", ""),
        # what only sessions after login have finds none
        ("over:1k", ""),
        ("session:x", ""),
        ("a a a a a a a a a", ""),
    ],
)
def test_search(crowd: Node, text: str, wanted: str) -> None:
    assert found(text) == list(wanted)


def test_search_by_the_group_of_the_node(crowd: Node) -> None:
    crowd.group = NodeGroup.objects.create(name="dmz")
    crowd.save()
    assert found("group:dm") == list("1234")
    assert found("group=inside") == []


@pytest.mark.parametrize(
    ("sort", "first"),
    [("age", "4"), ("user", "1"), ("client", "1"), ("protocol", "1"), ("state", "4"), ("tls", "1")],
)
def test_every_column_sorts_both_ways(crowd: Node, sort: str, first: str) -> None:
    def order(*, descending: bool) -> list[str]:
        view = page_of.View(sort=sort, descending=descending)
        return [row["session"] for row in page_of.page(view, timezone.now())["rows"]]

    assert order(descending=False)[0] == f"w1.{first}"
    assert set(order(descending=True)) == set(order(descending=False))
    assert {key for key, _, _ in page_of.COLUMNS} == set(page_of.SORTS)


def test_states_addresses_and_nodes_are_counted(crowd: Node) -> None:
    other = nodes.greet(nodes.enrol("edge-2")[0], "b", hello(), timezone.now())
    nodes.enrol("edge-3")
    many = waiting_of(
        by_address={"192.0.2.9": 900, "192.0.2.7": 5},
        by_standing={"identifying": 905},
        total=905,
        mute=1,
    )
    services.report(other.pk, "b", many)
    page = page_of.page(page_of.View(), timezone.now())
    assert (page["total"], page["described"], page["matching"]) == (909, 4, 4)
    assert page["addresses"][:2] == [
        {"address": "192.0.2.9", "count": 900},
        {"address": "192.0.2.7", "count": 7},
    ]
    counts = {one["state"]: one["count"] for one in page["states"]}
    assert counts == {"identifying": 907, "connecting": 1, "handshake": 1}
    assert [(one["name"], one["count"]) for one in page["nodes"]] == [
        ("edge-1", 4),
        ("edge-2", 905),
        ("edge-3", None),
    ]
    assert page["nodes"][1]["note"] == "not all of its workers answered"


def test_pages(node: Node) -> None:
    sessions = [waiter(f"w1.{i}", age_s=float(i)) for i in range(page_of.PAGE_SIZE + 3)]
    services.report(node.pk, "a", waiting_of(*sessions))
    last = page_of.page(page_of.View(page=99), timezone.now())
    assert (last["page"], last["pages"], len(last["rows"])) == (2, 2, 3)
    first = page_of.page(page_of.View(), timezone.now())
    assert first["rows"][0]["session"] == f"w1.{page_of.PAGE_SIZE + 2}"


def test_an_answer_is_forgotten(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "KEPT_S", 0)
    services.report(node.pk, "a", waiting_of(waiter("w1.1")))
    page = page_of.page(page_of.View(), timezone.now() + timedelta(minutes=1))
    assert (page["total"], page["rows"]) == (0, [])
    assert page["nodes"][0]["count"] is None


def test_nodes_share_what_a_page_can_show() -> None:
    assert page_of.rows_per_node(0) == page_of.rows_per_node(1) == MOST_WAITING
    assert page_of.rows_per_node(10) == 200
    assert page_of.rows_per_node(1000) == page_of.LEAST_ROWS


def test_every_standing_has_its_words() -> None:
    assert set(WaitingState.values) == {standing.value for standing in Standing}


def test_what_makes_no_sense_is_taken_as_not_said() -> None:
    strange = {"search": 5, "sort": "password", "descending": 0, "page": -1}
    assert page_of.View.from_frame(strange) == page_of.View()
