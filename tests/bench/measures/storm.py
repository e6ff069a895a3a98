"""A thousand clients at once: what the slowest of them waits, and whether any was turned away.

A burst is a thousand logins and no more. In a storm every client that is done is followed by the
next, so the accept queue is worked on while a thousand dialogues go on: there nginx, which accepts
one connection per turn of its loop, overflows its default queue and clients wait for a SYN's
retransmission.
"""

from collections.abc import Mapping
from typing import Final

from tests.bench.accounting import listen_overflows
from tests.bench.measure import Better, Contest, Goal, Measure, Metric, Scale
from tests.bench.programs import Work
from tests.bench.proxies import NGINX, NGINX_TUNED, OURS_KEEPALIVE
from tests.bench.rig import Rig

_CLIENTS: Final = 1_000
_STORM_LOGINS: Final = 10_000

_METRICS: Final = (
    Metric("p50", "ms"),
    Metric("p99", "ms"),
    Metric("max", "ms"),
    Metric("cpu", "us/login"),
    Metric("overflows", "of listen queue", Better.NEITHER),
)


def _many(rig: Rig, name: str, operations: int) -> Mapping[str, float]:
    before = listen_overflows()
    run = rig.run(name, Work(sessions=_CLIENTS), operations)
    return {
        "p50": run.outcome.p50_ns / 1e6,
        "p99": run.outcome.p99_ns / 1e6,
        "max": run.outcome.max_ns / 1e6,
        "cpu": run.cpu_us,
        "overflows": float(listen_overflows() - before),
    }


def _burst(rig: Rig, name: str, _scale: Scale) -> Mapping[str, float]:
    return _many(rig, name, _CLIENTS)


def _storm(rig: Rig, name: str, scale: Scale) -> Mapping[str, float]:
    return _many(rig, name, scale.operations(_STORM_LOGINS))


MEASURES: Final = (
    Measure(
        name="burst",
        title=f"{_CLIENTS:,} IMAP logins at once, then none",
        metrics=_METRICS,
        contests=(Contest(NGINX, OURS_KEEPALIVE),),
        run=_burst,
    ),
    Measure(
        name="storm",
        title=f"{_CLIENTS:,} clients at once, one IMAP login after the other",
        metrics=_METRICS,
        contests=(
            Contest(NGINX, OURS_KEEPALIVE, {"p99": Goal(ratio=0.25)}),
            Contest(NGINX_TUNED, OURS_KEEPALIVE),
        ),
        run=_storm,
        pairs_short=2,
        pairs_full=6,
    ),
)
