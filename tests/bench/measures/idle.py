"""Memory per idle session: the same processes with many sessions and with none."""

import time
from collections.abc import Mapping
from functools import partial
from typing import Final

from tests.bench.accounting import pss_bytes, rss_bytes
from tests.bench.measure import Better, Contest, Goal, Measure, Metric, Scale
from tests.bench.programs import Work
from tests.bench.proxies import DOVECOT, NGINX, NGINX_TLS, OURS_KEEPALIVE, OURS_TLS, OURS_TLS_BOTH
from tests.bench.rig import Rig

_SESSIONS: Final = 5_000
_TLS_SESSIONS: Final = 2_000
_SETTLE_S: Final = 2.5
"""Ours reports once a second to its supervisor, whose registry of sessions is part of the price."""

_METRICS: Final = (
    Metric("pss", "B/session"),
    Metric("rss", "B/session, workers"),
    Metric("pss-used", "B/session"),
    Metric("base", "MB", Better.NEITHER),
)


def _plain(rig: Rig, name: str, scale: Scale) -> Mapping[str, float]:
    return _idle(rig, name, Work(work="noop", sessions=scale.operations(_SESSIONS)))


def _secure(rig: Rig, name: str, _scale: Scale) -> Mapping[str, float]:
    return _idle(rig, name, Work(work="noop", sessions=_TLS_SESSIONS, tls="implicit"))


def _idle(rig: Rig, name: str, work: Work) -> Mapping[str, float]:
    assert work.sessions <= rig.most_sessions(), "the limit of open files is too low"
    with rig.fresh_proxy(name) as proxy:
        processes = proxy.processes()
        empty, empty_rss = pss_bytes(processes), rss_bytes(processes[1:])
        with rig.load(proxy, work) as load:
            time.sleep(_SETTLE_S)
            processes = proxy.processes()
            idle, rss = pss_bytes(processes), rss_bytes(processes[1:])
            load.run(work.sessions)  # every one of them still answers
            used = pss_bytes(proxy.processes())
    return {
        "pss": (idle - empty) / work.sessions,
        "rss": (rss - empty_rss) / work.sessions,
        "pss-used": (used - empty) / work.sessions,
        "base": empty / 1e6,
    }


_measure = partial(Measure, metrics=_METRICS, pairs_short=1, pairs_full=3)

MEASURES: Final = (
    _measure(
        name="idle",
        title="memory of idle IMAP sessions",
        contests=(
            Contest(NGINX, OURS_KEEPALIVE, {"pss": Goal(ratio=0.25)}),
            Contest(DOVECOT, OURS_KEEPALIVE),
        ),
        run=_plain,
    ),
    _measure(
        name="idle-tls",
        title="memory of idle IMAP sessions with TLS towards clients",
        contests=(Contest(NGINX_TLS, OURS_TLS, {"pss": Goal(ratio=0.80), "rss": Goal(ratio=1.0)}),),
        run=_secure,
    ),
    _measure(
        name="idle-tls-both",
        title="memory of idle IMAP sessions, ours with TLS on both legs, nginx (cannot) on one",
        contests=(Contest(NGINX_TLS, OURS_TLS_BOTH, {"pss": Goal(absolute=45_000)}),),
        run=_secure,
    ),
)
