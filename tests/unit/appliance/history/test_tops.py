"""The top lists: who was most, what failed logins look like, and how much is looked at."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from appliance.history import ranked, services, tops
from tests.unit.appliance.history.wire import batch, failed, phases, session

pytestmark = pytest.mark.django_db

GUESSER = "203.0.113.66"
NOWHERE = {"connect": None, "login": None, "relay": None}


@pytest.fixture
def desk(client: Client) -> Client:
    """A browser of somebody who may see the history."""
    made = User.objects.create_user("h", is_staff=True)
    made.user_permissions.set(Permission.objects.filter(codename="view_sessionrecord"))
    client.force_login(made)
    return client


@pytest.fixture
def past() -> None:
    """Half an hour ago: people, a forgotten password, a guesser; and one of three days ago."""
    now = timezone.now()
    at = now - timedelta(minutes=30)
    left = {"reason": "client_quit", "backend": "", "ms": phases(**NOWHERE)}
    told = [
        *(session(n, ended_at=at) for n in (1, 2, 3)),
        session(4, ended_at=at, login="Bob", client="2001:db8:0:7::1", bytes_to_front=10**9),
        session(5, ended_at=at, login="bob", client="2001:db8:0:7:ffff::2"),
        session(6, ended_at=at, login="", client="2001:db8:0:8::1", **left),
        session(7, ended_at=at, login="carol", client="192.0.2.8", **left),
        session(8, ended_at=at, login="dave", reason="backend_rejected", ms=phases(relay=None)),
        session(9, ended_at=at, client="unix:", login="", **left),
        *(session(100 + n, ended_at=at, login="", client=GUESSER, **left) for n in range(6)),
        session(200, ended_at=now - timedelta(days=3), login="eve"),
    ]
    guesses = [failed(100 + n, at=at, login=f"user{n}", client=GUESSER) for n in range(6)]
    forgot = [failed(7, n, at=at, login="carol", client="192.0.2.8") for n in (1, 2, 3)]
    services.ingest(7, batch(*told, logins=(*guesses, *forgot)), now)


def look(span: str = "day") -> tops.Window:
    return tops.window(tops.SPANS[span], timezone.now())


def test_users_by_sessions_and_by_octets(past: None) -> None:
    assert [(one.account, one.sessions) for one in tops.users(look(), "sessions")] == [
        ("alice@example.org", 3),
        ("bob", 2),
    ]
    by_octets = tops.users(look(), "octets")
    assert [one.account for one in by_octets] == ["bob", "alice@example.org"]
    assert by_octets[0].octets == 10**9 + 4711 + 2 * 815
    assert [one.account for one in tops.users(look("week"), "sessions")][2:] == ["eve"]


def test_addresses_by_sessions_those_of_ipv6_by_network(past: None) -> None:
    found = [
        (ranked.network_name(one.network), one.sessions, one.logged_in)
        for one in tops.clients(look())
    ]
    assert found[:3] == [(GUESSER, 6, 0), ("192.0.2.7", 4, 3), ("2001:db8:0:7::/64", 2, 2)]
    assert set(found[3:]) == {("192.0.2.8", 1, 0), ("2001:db8:0:8::/64", 1, 0)}


def test_guessing_is_told_from_a_forgotten_password(past: None) -> None:
    found = tops.failing_clients(look())
    assert [(ranked.network_name(one.who), one.failed, one.different) for one in found] == [
        (GUESSER, 6, 6),
        ("192.0.2.8", 3, 1),
        ("192.0.2.7", 1, 1),
    ]
    assert [ranked.verdict(one) for one in found] == [ranked.GUESSING, ranked.FORGOTTEN, None]
    assert [one.logged_in for one in found] == [0, 0, 3]
    users = {row.name: row.verdict for row in ranked.lists(look())[1].rows}
    assert users["carol"] is ranked.FORGOTTEN
    assert users["user3"] is ranked.GUESSED
    assert users["dave"] is None


def test_users_with_failed_logins_and_from_how_many_networks() -> None:
    now = timezone.now()
    many = [failed(n, login="Root", client=f"198.51.100.{n}") for n in range(1, 6)]
    near = [failed(n, login="root", client=f"2001:db8::{n}") for n in range(6, 9)]
    told = [one | {"time": (now - timedelta(minutes=1)).isoformat()} for one in many + near]
    services.ingest(7, batch(session(99, login="root", ended_at=now), logins=(*told,)), now)
    (one,) = tops.failing_users(tops.window(tops.SPANS["hour"], timezone.now()))
    assert (one.who, one.failed, one.different, one.logged_in) == ("root", 8, 6, 1)
    assert ranked.verdict(one) is ranked.MIXED


def test_reasons_count_sessions_not_their_failed_logins(past: None) -> None:
    assert tops.reasons(look()) == [("client_quit", 9), ("done", 5), ("backend_rejected", 1)]


def test_only_the_newest_are_looked_at(past: None, desk: Client, monkeypatch) -> None:
    now = timezone.now()
    told = [session(500 + n, ended_at=now - timedelta(minutes=n), login="f") for n in range(1, 6)]
    services.ingest(7, batch(*told, number=2), now)
    monkeypatch.setattr(tops, "LOOKED_AT_MOST", 3)
    window = look()
    assert window.is_cut
    assert [(one.account, one.sessions) for one in tops.users(window, "sessions")] == [("f", 3)]
    page = desk.get(reverse("top_lists"))
    assert "Only the newest 3 records were looked at" in page.content.decode()


def test_sums_beyond_what_an_integer_holds() -> None:
    now = timezone.now()
    huge = {"bytes_to_front": 2**63 - 1, "bytes_to_back": 2**63 - 1}
    services.ingest(7, batch(*(session(n, ended_at=now, **huge) for n in (1, 2, 3))), now)
    assert tops.users(look(), "octets")[0].octets > 2**65


def test_the_page_links_to_what_it_counted(past: None, desk: Client) -> None:
    page = desk.get(reverse("top_lists"), {"range": "hour"})
    assert "tops-cut" not in page.content.decode()
    lists = {one.key: one for one in page.context["lists"]}
    for key, amount in (("failing-clients", 6), ("users-sessions", 3), ("reasons", 9)):
        row = lists[key].rows[0]
        assert row.cells[-1] == str(amount)
        assert row.link.replace("&", "&amp;") in page.content.decode()
        assert len(desk.get(row.link).context["lines"]) == amount
    asked = parse_qs(urlsplit(lists["clients"].rows[2].link).query)
    assert asked["address"] == ["2001:db8:0:7::/64"]
    assert len(desk.get(lists["clients"].rows[2].link).context["lines"]) == 2


def test_names_of_strangers_do_no_harm(desk: Client) -> None:
    now = timezone.now()
    names = ("<script>alert(1)</script>", "joe*")
    told = [session(n, ended_at=now, login=name) for n, name in enumerate(names)]
    services.ingest(7, batch(*told, session(8, ended_at=now, reason="moon_phase")), now)
    page = desk.get(reverse("top_lists"), {"range": "no such"})
    assert page.context["span"].name == "day"
    assert "<script>alert" not in page.content.decode()
    lists = {one.key: one for one in page.context["lists"]}
    links = {row.name: row.link for row in lists["users-sessions"].rows}
    assert links["joe*"] == ""
    assert {row.name: row.link for row in lists["reasons"].rows}["Moon phase"] == ""


def test_who_may_not_see_the_history_sees_no_top_lists(client: Client) -> None:
    client.force_login(User.objects.create_user("n", is_staff=True))
    assert client.get(reverse("top_lists")).status_code == 403


def test_nothing_at_all_is_said_so(desk: Client) -> None:
    page = desk.get(reverse("top_lists")).content.decode()
    assert page.count("No login has failed.") == 2
    assert "No session has ended." in page


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's plans")
def test_nothing_but_the_range_of_the_time_index_is_read(past: None) -> None:
    with CaptureQueriesContext(
        connection,
    ) as seen:
        ranked.lists(look())
    asked = [one["sql"] for one in seen.captured_queries]
    assert len(asked) == 8
    for sql in asked:
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN QUERY PLAN " + sql.replace("%", "%%"))
            plan = "\n".join(row[3] for row in cursor.fetchall())
        found = re.findall(r"(?:SEARCH|SCAN) history_sessionrecord.*", plan)
        assert len(found) == 1, plan
        by = "account (account=? AND " if 'account" IN' in sql else "time ("
        assert f"INDEX history_record_{by}ended_at>? AND ended_at<?)" in found[0], plan
