"""Decisions of the auth service per second of its CPU time, as nodes ask: kept alive.

The web server's view beside the service's own process, over the same database. *First* logins are
verified by argon2id, *known* users by the cache in front of it; both read account and routes.
"""

import contextlib
import random
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from tests.bench.accounting import cpu_time, process_tree
from tests.bench.auth_rig import POSTGRESQL, SQLITE, Asker, AuthService, account_count, prepared
from tests.bench.machine import pinned_to
from tests.bench.measure import Better, Contest, Goal, Measure, Metric, Scale
from tests.bench.rig import Rig

_CONNECTIONS: Final = 16
_FIRST: Final = 150
_KNOWN: Final = 10_000
_WARM_UP: Final = 500

_databases: dict[tuple[Rig, str], tuple[Path, str, str]] = {}


def database(rig: Rig, kind: str) -> tuple[Path, str, str]:
    """Give state directory, URL and a node's token of the database of a kind, filled once."""
    if (rig, kind) not in _databases:
        _databases[rig, kind] = rig.keep(prepared(kind, rig.around.backend_ports[0]))
    return _databases[rig, kind]


def _run(kind: str, rig: Rig, name: str, scale: Scale) -> Mapping[str, float]:
    chosen = random.Random(7).sample(range(1, account_count() + 1), scale.operations(_FIRST, 20))
    with contextlib.closing(AuthService(name, *database(rig, kind))) as service:
        with pinned_to(rig.proxy_cpu):
            service.start()
        with contextlib.closing(Asker(service, _CONNECTIONS)) as asker:
            first = _rate(service, asker, chosen)
            again = scale.operations(_KNOWN) // len(chosen) + 1
            asker.ask((chosen * (_WARM_UP // len(chosen) + 1))[:_WARM_UP])
            known = _rate(service, asker, chosen * again)
    return {"known": known, "first": first}


def _rate(service: AuthService, asker: Asker, users: list[int]) -> float:
    processes = process_tree(service.pid)
    before = cpu_time(processes)
    asker.ask(users)
    return len(users) / ((cpu_time(processes) - before).total_ns / 1e9)


def _measure(kind: str, title: str, goals: Mapping[str, Goal]) -> Measure:
    return Measure(
        name=f"auth-{kind}",
        title=f"auth service, {title}, {account_count():,} accounts",
        metrics=(
            Metric("known", "/cpu-s", Better.HIGHER),
            Metric("first", "/cpu-s", Better.HIGHER),
        ),
        contests=(Contest("daphne", "listener", goals),),
        run=partial(_run, kind),
        pairs_short=1,
        pairs_full=5,
    )


MEASURES: Final = (
    _measure(SQLITE, "SQLite", {"known": Goal(absolute=2_500)}),
    _measure(POSTGRESQL, "PostgreSQL", {}),
)
