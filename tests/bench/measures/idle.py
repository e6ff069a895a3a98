"""Memory per idle session: the same processes with many sessions and with none."""

import time
from collections.abc import Mapping
from typing import Final

from tests.bench.accounting import pss_bytes
from tests.bench.measure import Better, Contest, Goal, Measure, Metric, Scale
from tests.bench.programs import Work
from tests.bench.proxies import NGINX, OURS_KEEPALIVE
from tests.bench.rig import Rig

_SESSIONS: Final = 5_000
_SETTLE_S: Final = 2.5
"""Ours reports once a second to its supervisor, whose registry of sessions is part of the price."""


def _idle(rig: Rig, name: str, scale: Scale) -> Mapping[str, float]:
    sessions = min(scale.operations(_SESSIONS), rig.most_sessions())
    with rig.fresh_proxy(name) as proxy:
        empty = pss_bytes(proxy.processes())
        with rig.load(proxy, Work(work="noop", sessions=sessions)) as load:
            time.sleep(_SETTLE_S)
            idle = pss_bytes(proxy.processes())
            load.run(sessions)  # every one of them still answers
            used = pss_bytes(proxy.processes())
    return {
        "pss": (idle - empty) / sessions,
        "pss-used": (used - empty) / sessions,
        "base": empty / 1e6,
    }


MEASURES: Final = (
    Measure(
        name="idle",
        title="memory of idle IMAP sessions",
        metrics=(
            Metric("pss", "B/session"),
            Metric("pss-used", "B/session"),
            Metric("base", "MB", Better.NEITHER),
        ),
        contests=(Contest(NGINX, OURS_KEEPALIVE, {"pss": Goal(ratio=0.25)}),),
        run=_idle,
        pairs_short=1,
        pairs_full=3,
    ),
)
