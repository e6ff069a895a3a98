"""How the admin and the brain do with a million accounts: times and query plans.

``python -m tests.bench.million [sqlite|postgresql]`` prints them; it takes some minutes and is no
part of ``make bench``. A test asks the same of fewer accounts, for the plans.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from tests.bench.auth_rig import ACCOUNTS_VARIABLE, POSTGRESQL, SQLITE, prepared, variables
from tests.bench.machine import REPOSITORY

ACCOUNTS: Final = 1_000_000
_LIST: Final = "/admin/routing/account/"
PAGES: Final = {
    "list": "",
    "last counted page": "?p=100",
    "behind a login": "?login__gt=user5",
    "search, many": "?q=user9",
    "search, one": "?q=user77777@",
    "search, none": "?q=zzz",
    "disabled": "?enabled__exact=0",
    "enabled": "?enabled__exact=1",
    "of a mail host": "?mail_host__id__exact=1",
    "of a verifier": "?verifier__id__exact=1",
    "of a mail host, search": "?mail_host__id__exact=1&q=user9",
}
DOMAIN_SEARCH: Final = {"search for a domain": "?q=@example.net"}
"""Reads every login."""


def measure(kind: str, accounts: int) -> dict[str, Any]:
    """Fill a database, ask it everything, and give for each question seconds, queries, plans."""
    os.environ[ACCOUNTS_VARIABLE] = str(accounts)
    with prepared(kind, 143) as (state, url, _):
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.million", "--probe"],
            env=variables(state, url, 0),
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


# --- within the appliance -------------------------------------------------------------------------

_SPREAD: Final = (
    "INSERT INTO routing_verifier (name, kind, protocol, url, header, secret, timeout_ms)"
    " VALUES ('there', 'mail_host', 'imap', '', '', '', 1000)",
    "UPDATE routing_account SET verifier_id = 1 WHERE id % 10000 = 7",
    "UPDATE routing_account SET mail_host_id = 1 WHERE id % 10 = 3",
    "UPDATE routing_account SET enabled = (id < 0) WHERE id % 1000 = 1",
)


def _probe() -> dict[str, Any]:
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client

    with connection.cursor() as cursor:
        for statement in (*_SPREAD, *(["ANALYZE"] if connection.vendor == "postgresql" else [])):
            cursor.execute(statement)
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create_superuser("bench"))
    found = {}
    for name, query in {**PAGES, **DOMAIN_SEARCH}.items():
        client.get(_LIST + query)
        found[name] = _asked(lambda url=_LIST + query: client.get(url))
    found["decide()"] = _asked(_decide)
    return found


def _decide() -> None:
    from appliance.routing.decide import DecisionInput, decide
    from proxycore.contract.protocol import Protocol

    found = decide(DecisionInput(Protocol.IMAP, b"user77777@example.com", "192.0.2.1"))
    assert found.host is not None


def _asked(work: Callable[[], Any]) -> dict[str, Any]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        began = time.perf_counter()
        answer = work()
        seconds = time.perf_counter() - began
    assert answer is None or answer.status_code == 200, answer.status_code
    about = [one["sql"] for one in captured if "routing_account" in one["sql"]]
    plans = [_plan(sql) for sql in about if sql.startswith("SELECT")]
    return {"seconds": seconds, "queries": len(captured), "plans": plans}


def _plan(sql: str) -> str:
    from django.db import connection

    ask = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    with connection.cursor() as cursor:
        cursor.execute(ask + sql.replace("%", "%%"))
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def _report(kind: str) -> None:
    for name, one in measure(kind, ACCOUNTS).items():
        print(f"{kind:10} {name:24} {one['seconds'] * 1000:8.1f} ms  {one['queries']:2} queries")
        if "--plans" in sys.argv:
            print(*one["plans"], sep="\n\n")


if __name__ == "__main__":
    if "--probe" in sys.argv:
        print(json.dumps(_probe()))
    else:
        for chosen in [one for one in (SQLITE, POSTGRESQL) if one in sys.argv] or (
            SQLITE,
            POSTGRESQL,
        ):
            _report(chosen)
