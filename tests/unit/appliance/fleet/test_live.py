"""Search, sort and page of the live index."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from appliance.fleet import live
from appliance.fleet.models import LiveSession, Node
from appliance.fleet.search import address_key

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def node(enrolled: tuple[Node, str]) -> Node:
    return enrolled[0]


def add(node: Node, session: str, **known: Any) -> LiveSession:
    facts = {
        "server": "imap",
        "protocol": "imap",
        "user": session,
        "client": "192.0.2.9",
        "client_key": address_key("192.0.2.9"),
        "client_port": 4000,
        "listen": "*:143",
        "backend": "198.51.100.1:143",
        "started_at": START,
    }
    return LiveSession.objects.create(node=node, session=session, **{**facts, **known})


def users(**view: Any) -> list[str]:
    page = live.page(live.View.from_frame(view), timezone.now())
    return [row["user"] for row in page["rows"]]


def test_every_term_has_to_match_somewhere(node: Node) -> None:
    add(node, "alice", client="2001:db8::1", protocol="pop3")
    add(node, "bob", backend="198.51.100.9:143", auth_session="ticket-77")
    assert users(search="ALI 2001:db8") == ["alice"]
    assert users(search="alice 198.51.100.9") == []
    assert users(search="pop3") == ["alice"]
    assert users(search="edge-1 100.9") == ["bob"]
    assert users(search="ticket-77") == ["bob"]
    assert users(search="100%") == users(search="_") == []


@pytest.mark.parametrize("sort", live.SORTS)
def test_it_sorts_both_ways_by(sort: str, node: Node) -> None:
    add(node, "a", started_at=START + timedelta(hours=1))
    add(
        node,
        "b",
        protocol="smtp",
        tls="TLSv1.3",
        client="192.0.2.10",
        client_key=address_key("192.0.2.10"),
        kick_due_at=START,
        backend="198.51.100.2:25",
        bytes_to_front=1,
        bytes_to_back=1,
    )
    second = Node.objects.create(name="edge-2", token_hash="x")
    LiveSession.objects.filter(session="b").update(node=second)
    assert users(sort=sort) == ["a", "b"]
    assert users(sort=sort, descending=True) == ["b", "a"]


def test_a_page_beyond_the_last_is_the_last(node: Node) -> None:
    for i in range(live.PAGE_SIZE + 1):
        add(node, f"u{i:03}")
    page = live.page(live.View(sort="user", page=9), timezone.now())
    assert [row["user"] for row in page["rows"]] == [f"u{live.PAGE_SIZE:03}"]
    assert (page["page"], page["pages"], page["matching"]) == (2, 2, live.PAGE_SIZE + 1)


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"search": 5, "sort": "password", "page": "2", "descending": 1},
        {"page": -1},
        {"page": True},
        {"page": 10**30},
        {"search": "\x00"},
        {"sort": ["user"]},
    ],
)
def test_nonsense_is_taken_as_not_said(frame: dict[str, Any], node: Node) -> None:
    assert live.View.from_frame(frame) == live.View()


def test_a_page_takes_few_queries(node: Node, django_assert_max_num_queries: Any) -> None:
    for i in range(live.PAGE_SIZE):
        add(node, f"u{i}")
    with django_assert_max_num_queries(6):
        live.page(live.View(), timezone.now())


def test_news_are_what_is_different(node: Node) -> None:
    add(node, "a")
    add(node, "b")
    now = timezone.now()
    before = live.page(live.View(sort="user"), now)
    LiveSession.objects.filter(session="b").update(bytes_to_front=7)
    add(node, "c")
    LiveSession.objects.filter(session="a").delete()
    news = live.news(before, live.page(live.View(sort="user"), now))
    kept, new = LiveSession.objects.order_by("user")
    assert news["order"] == [kept.pk, new.pk]
    assert news["rows"][0] == {"id": kept.pk, "to_front": 7}
    assert news["rows"][1]["user"] == "c"
