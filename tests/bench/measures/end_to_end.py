"""CPU per login of proxy and auth service together, with a user database behind.

Both proxies ask Postroad's auth service, each an instance of its own over the same accounts: ours
as a node does (kept alive, verdicts used again for a minute, which is the appliance's default),
nginx as it can, one connection for each login. First logins pay for argon2id, known users do not.
"""

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from tests.bench.accounting import process_tree
from tests.bench.auth_rig import CALLER_SECRET, DOMAIN, SQLITE, AuthService, account_count
from tests.bench.machine import pinned_to
from tests.bench.measure import Contest, Goal, Measure, Metric, Scale
from tests.bench.measures.auth import database
from tests.bench.programs import Work
from tests.bench.proxies import NGINX_VIEW, OURS_VIEW, Proxy
from tests.bench.rig import Rig
from tests.bench.surroundings import AuthPlace

_USERS: Final = 100
_KNOWN_LOGINS: Final = 6_000
_AT_ONCE: Final = 8
"""Logins at once; the service refuses what waits too long for a hash."""


@dataclass(slots=True)
class _Installation:
    """A proxy and its auth service."""

    proxy: Proxy
    service: AuthService
    first_users: Iterator[int] = field(
        default_factory=lambda: itertools.cycle(range(1, account_count() - _USERS, _USERS))
    )


_installations: dict[tuple[Rig, str], _Installation] = {}


def _installation(rig: Rig, name: str) -> _Installation:
    if (rig, name) not in _installations:
        state, url, token = database(rig, SQLITE)
        service = rig.keep(contextlib.closing(AuthService("listener", state, url, token)))
        with pinned_to(rig.proxy_cpu):
            service.start()
        auth = AuthPlace(
            port=service.port, uri="/auth_http", node_token=token, caller_secret=CALLER_SECRET
        )
        proxy = rig.keep(rig.cold_proxy(name, replace(rig.around, auth=auth)))
        _installations[rig, name] = _Installation(proxy, service)
    return _installations[rig, name]


def _run(rig: Rig, name: str, scale: Scale) -> Mapping[str, float]:
    here = _installation(rig, name)
    users = scale.operations(_USERS, 20)
    work = Work(
        sessions=_AT_ONCE, users=users, first_user=next(here.first_users), user_suffix=DOMAIN
    )
    with rig.load(here.proxy, work) as load:
        service = process_tree(here.service.pid)
        first = rig.measure(here.proxy, load, users, service)
        known = rig.measure(here.proxy, load, scale.operations(_KNOWN_LOGINS), service)
    return {"known": known.cpu_us, "first": first.cpu_us, "known-p50": known.outcome.p50_ns / 1e6}


MEASURES: Final = (
    Measure(
        name="end-to-end",
        title=f"IMAP login with {account_count():,} accounts, proxy and auth service together",
        metrics=(
            Metric("known", "us/login"),
            Metric("first", "us/login"),
            Metric("known-p50", "ms"),
        ),
        contests=(
            Contest(NGINX_VIEW, OURS_VIEW, {"known": Goal(ratio=0.35), "first": Goal(ratio=0.90)}),
        ),
        run=_run,
        pairs_short=1,
        pairs_full=6,
    ),
)
