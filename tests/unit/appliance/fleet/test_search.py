"""What an operator may search for."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from appliance.fleet import live, search
from appliance.fleet.models import LiveSession, Node
from appliance.servers import services as servers
from appliance.servers.models import NodeGroup
from tests.unit.appliance.fleet.test_live import add

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture(autouse=True)
def sessions(enrolled: tuple[Node, str]) -> None:
    node = enrolled[0]
    Node.objects.filter(pk=node.pk).update(last_seen_at=NOW)
    for user, known in {
        "alice": {"client": "192.0.2.1", "tls": "TLSv1.3", "bytes_to_front": 5 * 2**20},
        "malice": {"client": "192.0.3.1", "tls": "TLSv1.2", "bytes_to_back": 900},
        "bob smith": {"client": "2001:db8::5", "kick_requested_at": NOW},
        "carol": {"client": "unix:", "started_at": NOW - timedelta(seconds=30)},
    }.items():
        facts: dict[str, Any] = {"started_at": NOW - timedelta(hours=2), **known}
        add(node, user, client_key=search.address_key(facts["client"]), **facts)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("alice", "alice malice"),
        ("user=alice", "alice"),
        ("user=ALICE", "alice"),
        ("user:lice", "alice malice"),
        ('user="bob smith"', "bob smith"),
        ("192.0.2.0/24", "alice"),
        ("client:192.0.2.0/23", "alice malice"),
        ("client=2001:db8:0::5", "bob smith"),
        ("2001:db8::/64", "bob smith"),
        ("::/0", "alice bob smith malice"),
        ("client=unix:", "carol"),
        ("client:192.0.2.0/99", ""),
        ("tls:1.2", "malice"),
        ("tls=TLSv1.3", "alice"),
        ("tls:none", "bob smith carol"),
        ("state:disconnecting", "bob smith"),
        ("state:open", "alice carol malice"),
        ("state:nonsense", ""),
        ("older:1h", "alice bob smith malice"),
        ("newer:1m", "carol"),
        ("older:yesterday", ""),
        ("over:1m", "alice"),
        ("under:1k", "bob smith carol malice"),
        ("over:1m user=malice", ""),
        ("a b c d e f g h i", ""),
        ('user=""', ""),
    ],
)
def test_a_search_finds(text: str, found: str) -> None:
    rows = live.matching(text, NOW).order_by("user")
    assert " ".join(rows.values_list("user", flat=True)) == found


def test_sessions_are_found_by_the_group_of_their_node() -> None:
    assert live.matching("group:d", NOW).count() == 0
    Node.objects.update(group=servers.save_group(NodeGroup(name="dmz")))
    assert live.matching("group:d", NOW).count() == live.matching("group=DMZ", NOW).count() == 4
    assert live.matching("group=d", NOW).count() == 0


def test_sessions_of_a_silent_node_are_no_longer_open() -> None:
    Node.objects.update(last_seen_at=NOW - timedelta(minutes=1))
    assert live.matching("state:open", NOW).count() == 0
    assert live.matching("state:silent", NOW).count() == 3
    states = {row["user"]: row["state"] for row in live.page(live.View(), NOW)["rows"]}
    assert states["alice"] == "silent"
    assert states["bob smith"] == "disconnecting"


def test_addresses_sort_as_numbers() -> None:
    rows = live.page(live.View(sort="client"), NOW)["rows"]
    assert [row["user"] for row in rows] == ["carol", "alice", "malice", "bob smith"]


def test_a_user_can_be_asked_for_exactly() -> None:
    assert live.matching(search.quoted("user", "bob smith"), NOW).count() == 1
    assert search.quoted("user", 'a"b') == ""
    assert LiveSession.objects.count() == 4
