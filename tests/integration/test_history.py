"""What became of a session can be looked up seconds after its end, with real mail servers."""

import imaplib
import json
import smtplib
from collections.abc import Generator
from typing import Any

import pytest

from tests.support import cast, clients
from tests.support.appliance import Appliance
from tests.support.databases import PostgreSQL
from tests.support.fronts import Front
from tests.support.wait import eventually

_FIND = """
import json
from appliance.history.models import SessionRecord
from appliance.history.reading import shown_address
fields = ('login', 'protocol', 'backend', 'reason', 'fault', 'attempt', 'attempts', 'method',
    'bytes_to_front', 'auth_ms', 'connect_ms', 'login_ms', 'relay_ms', 'total_ms', 'front_tls')
found = SessionRecord.objects.filter(login=LOGIN, protocol=PROTOCOL).order_by('-pk')[:3]
print(json.dumps([{name: getattr(row, name) for name in fields}
    | {'address': shown_address(row.address)} for row in found]))
"""

_INGEST = """
from datetime import timedelta
from django.db import connection
from django.utils import timezone
from appliance.history import queries, services
from appliance.history.models import Intake, LastLogin, SessionRecord
from appliance.history.reading import packed
from tests.unit.appliance.history.wire import batch, failed, session
now = timezone.now()
told = [session(n, ended_at=now - timedelta(seconds=n), login=f'User{n % 50}@example.org',
    client=f'10.0.{n // 250}.{n % 250}') for n in range(2000)]
batches = [batch(*told[at:at + 300], number=at + 1, dropped=3,
    logins=(failed(at, login='ann\\x00'),)) for at in range(0, 2000, 300)]
for one in [*reversed(batches), *batches]:
    services.ingest(7, one, now)
assert SessionRecord.objects.filter(attempt=0).count() == 2000
assert SessionRecord.objects.filter(attempt=1, login='ann?').count() == 7
intake = Intake.objects.get()
assert (intake.stored, intake.dropped) == (2007, 3), intake.__dict__
assert LastLogin.objects.count() == 50
with connection.cursor() as cursor:
    cursor.execute('ANALYZE history_sessionrecord')
Search = queries.Search
assert len(queries.page(Search(user='USER7@example.org')).rows) == 40
assert len(queries.page(Search(user='user7@*')).rows) == 40
rows = queries.page(Search(network=(packed('10.0.1.0'), packed('10.0.1.255'))), None, 500).rows
assert len(rows) == 250
plans = [queries.find(one)[:51].explain() for one in (
    Search(user='user7@example.org'), Search(user='user7@*'),
    Search(network=(packed('10.0.1.7'), packed('10.0.1.7'))), Search())]
for plan, index in zip(plans, ('account', 'account', 'address', 'time')):
    assert f'history_record_{index}' in plan, plan
services.PER_DELETION = 300
assert services.prune(now + timedelta(days=90, seconds=-1000)) > 900
print('well')
"""


def _found(appliance: Appliance, login: str, protocol: str) -> list[dict[str, Any]]:
    said = appliance.python(f"LOGIN, PROTOCOL = {login!r}, {protocol!r}\n{_FIND}")
    rows: list[dict[str, Any]] = json.loads(said)
    return rows


def test_a_session_is_in_the_history_with_its_facts(
    managed_front: tuple[Front, Appliance],
) -> None:
    front, appliance = managed_front
    with clients.pop3(front.pop3, cast.ZOE, cast.PASSWORDS[cast.ZOE]) as client:
        client.list()
    rows = eventually(
        lambda: [row for row in _found(appliance, cast.ZOE, "pop3") if row["reason"] == "done"],
        "the session is in the history",
    )
    row = rows[0]
    assert (row["address"], row["method"], row["attempts"]) == ("127.0.0.1", "plain", 1)
    assert row["backend"].startswith("127.0.0.1:")
    assert row["bytes_to_front"] > 0
    known = [row[name] for name in ("auth_ms", "connect_ms", "login_ms", "relay_ms")]
    assert None not in known
    assert sum(known) <= row["total_ms"] + 5


_WITH_PASSWORD = """
from appliance.credentials import services
from appliance.routing.models import Account
from proxycore.contract.secret import Secret
if not Account.objects.filter(login=LOGIN).exists():
    services.save_account(Account(login=LOGIN), password=Secret('the right one'))
"""


@pytest.fixture
def account(managed_front: tuple[Front, Appliance]) -> str:
    """Somebody whose password the appliance knows."""
    login = "of-the-history"
    managed_front[1].python(f"LOGIN = {login!r}\n{_WITH_PASSWORD}")
    return login


def test_each_failed_login_is_in_the_history(
    managed_front: tuple[Front, Appliance], account: str
) -> None:
    front, appliance = managed_front
    with clients.imap(front.imap) as client, pytest.raises(imaplib.IMAP4.error):
        client.login(account, f"{cast.CANARY}-wrong")
    rows = eventually(
        lambda: [row for row in _found(appliance, account, "imap") if row["attempt"]],
        "the failed login is in the history",
    )
    (login,) = rows
    assert (login["reason"], login["address"]) == ("login_failed", "127.0.0.1")
    assert login["fault"] == "Invalid login or password"


def test_what_the_mail_server_refused_is_a_failed_login_too(
    managed_front: tuple[Front, Appliance],
) -> None:
    front, appliance = managed_front
    with clients.imap(front.imap) as client, pytest.raises(imaplib.IMAP4.error):
        client.login("nobody-of-the-history", f"{cast.CANARY}-wrong")
    (row,) = eventually(
        lambda: _found(appliance, "nobody-of-the-history", "imap"), "it is in the history"
    )
    assert (row["reason"], row["relay_ms"]) == ("backend_rejected", None)
    found = "queries.page(queries.Search(user='nobody-of-the-history', outcome='refused')).rows"
    count = f"from appliance.history import queries\nprint(len({found}))"
    assert appliance.python(count).strip() == "1"


def test_no_password_is_in_the_history(
    managed_front: tuple[Front, Appliance], account: str
) -> None:
    front, appliance = managed_front
    with clients.smtp(front.smtp) as client, pytest.raises(smtplib.SMTPException):
        client.login(account, f"{cast.CANARY}-wrong")
    eventually(lambda: _found(appliance, account, "smtp"), "it is in the history")
    dump = appliance.database_dump()
    assert account in dump
    assert cast.CANARY not in dump


@pytest.fixture(scope="module")
def postgresql() -> Generator[PostgreSQL, None, None]:
    with PostgreSQL() as database:
        yield database


def test_postgresql_stores_finds_and_forgets(postgresql: PostgreSQL) -> None:
    appliance = Appliance(variables={"POSTROAD_DATABASE_URL": postgresql.url})
    try:
        appliance.manage("migrate", "--verbosity", "0")
        assert appliance.python(_INGEST).strip() == "well"
    finally:
        appliance.close()
