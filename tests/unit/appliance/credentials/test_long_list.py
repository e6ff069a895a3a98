"""The list of accounts, however many: by index, counted no further than shown (ADR-0030)."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from appliance.credentials.admin import AccountAdmin
from appliance.lib import long_lists
from appliance.routing import services
from appliance.routing.models import Account
from tests.bench.million import DOMAIN_SEARCH, PAGES

ACCOUNTS = "/admin/routing/account/"


@pytest.fixture
def some(db: None) -> None:
    logins = ("ann", "bob@example.com", "bobby", "Éva", "user%", "user1", "user2", "z@example.com")
    for login in logins:
        services.save_account(Account(login=login))


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("bob", ["bob@example.com", "bobby"]),
        ("BOB", ["bob@example.com", "bobby"]),
        ("user%", ["user%"]),
        ("É", ["Éva"]),
        ("@example.com", ["bob@example.com", "z@example.com"]),
        (
            "",
            ["ann", "bob@example.com", "bobby", "user%", "user1", "user2", "z@example.com", "Éva"],
        ),
        ("obby", []),
    ],
)
def test_a_search_finds_what_begins_so(
    as_administrator: Client, some: None, query: str, shown: list[str]
) -> None:
    page = as_administrator.get(ACCOUNTS, {"q": query} if query else {})
    assert [one.login for one in page.context["cl"].result_list] == shown


def test_what_is_not_counted_is_gone_on_with(
    as_administrator: Client, some: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_lists, "COUNTED", 5)
    monkeypatch.setattr(AccountAdmin, "list_per_page", 3)
    monkeypatch.setattr(AccountAdmin, "list_max_show_all", 4)
    first = as_administrator.get(ACCOUNTS)
    assert "more than 5 accounts" in first.text
    assert 'id="behind"' not in first.text
    page = as_administrator.get(f"{ACCOUNTS}?p=2")
    (behind,) = re.findall(r'id="behind"[^>]*href="([^"]+)"', page.text)
    rest = as_administrator.get(ACCOUNTS + behind.replace("&amp;", "&"))
    assert [one.login for one in rest.context["cl"].result_list] == [
        "user2",
        "z@example.com",
        "Éva",
    ]
    assert "3 accounts" in rest.text
    assert 'id="behind"' not in rest.text


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's plans")
@pytest.mark.parametrize("name", [*PAGES, *DOMAIN_SEARCH])
def test_no_page_sorts_or_reads_the_table(as_administrator: Client, some: None, name: str) -> None:
    query = {**PAGES, **DOMAIN_SEARCH}[name]
    with CaptureQueriesContext(connection) as asked:
        as_administrator.get(ACCOUNTS + ("" if "p=" in query else query))
    about = [one["sql"] for one in asked if 'FROM "routing_account"' in one["sql"]]
    rows = [sql for sql in about if "COUNT(" not in sql]
    assert len(rows) == 1, about
    for sql in about:
        assert "LIMIT" in sql or sql in rows, "a count has an end"
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN QUERY PLAN " + sql.replace("%", "%%"))
            plan = "\n".join(row[3] for row in cursor.fetchall())
        assert "TEMP B-TREE" not in plan, plan
        if sql in rows:
            assert re.search(r"(SEARCH|SCAN) routing_account USING \S*\s?INDEX", plan), plan
