"""With very many accounts, every look-up of a login is one by an index.

The database has no statistics, as in an appliance: nothing of ours runs ANALYZE.
"""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appliance.authhttp import services as auth
from appliance.credentials import services
from appliance.credentials.models import AppPassword
from appliance.routing.models import Account, MailHost
from proxycore.contract.authhttp import AuthOk
from proxycore.contract.secret import Secret
from tests.unit.appliance.credentials.conftest import submission

ACCOUNTS = 100_000


@pytest.fixture
def many(everybody: MailHost) -> Account:
    """So many accounts, each with a route of its own and an app password, and one to ask for."""
    with connection.cursor() as cursor:
        for statement in (
            "INSERT INTO routing_account (login, enabled, imap_enabled, pop3_enabled, smtp_enabled,"
            " networks, password_hash, back_login, epoch, created_at) WITH RECURSIVE n(i) AS"
            " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %s)"
            " SELECT 'user' || i || '@example.com', 1, 1, 1,"
            " 1, '', '', '', 0, '2026-01-01' FROM n",
            "INSERT INTO routing_route (position, match, value, protocol, mail_host_id, enabled,"
            " percent, action, rewrite, rewrite_to, is_spread)"
            f" SELECT 1, 'user', login, '', {everybody.pk}, 1, 100, 'send', '', '', 0 FROM"
            " routing_account LIMIT %s",
            "INSERT INTO credentials_apppassword (account_id, name, digest, imap_enabled,"
            " pop3_enabled, smtp_enabled, networks, created_at, last_used_ip) SELECT id, 'x', id,"
            " 1, 1, 1, '', '2026-01-01', '' FROM routing_account LIMIT %s",
        ):
            cursor.execute(statement, [ACCOUNTS])
    return services.save_account(Account(login="joe@example.com"), password=Secret("pw"))


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's plans")
def test_no_look_up_reads_a_table_from_end_to_end(many: Account) -> None:
    one = AppPassword(account=many, name="phone")
    given = services.issue_app_password(one).reveal().encode()
    for password, expected in ((b"pw", 2), (given, 4)):
        with CaptureQueriesContext(connection) as asked:
            verdict = auth.answer(submission(b"joe@example.com", password))
        assert isinstance(verdict, AuthOk)
        assert len(asked) == expected
        for query in asked:
            if query["sql"].startswith("SELECT"):
                plan = _plan(query["sql"])
                assert "SEARCH" in plan, plan
                # a table of one mail host is read as a whole, and should be; o is one row
                assert not set(re.findall(r"SCAN (\w+)", plan)) - {
                    "routing_mailhost",
                    "CONSTANT",
                    "o",
                }, plan


def _plan(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN QUERY PLAN " + sql.replace("%", "%%"))
        return "\n".join(row[3] for row in cursor.fetchall())
