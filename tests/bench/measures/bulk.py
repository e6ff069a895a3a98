"""Bytes relayed per second of the proxy's CPU time, down and up, one session and many."""

from collections.abc import Mapping
from functools import partial
from typing import Final

from tests.bench.measure import Better, Contest, Goal, Measure, Metric, Scale
from tests.bench.programs import Work
from tests.bench.proxies import NGINX, NGINX_TUNED, OURS_KEEPALIVE
from tests.bench.rig import Rig

_MIB: Final = 2**20

_METRICS: Final = (
    Metric("throughput", "MB/cpu-s", Better.HIGHER),
    Metric("rate", "MB/s", Better.HIGHER),
    Metric("p50", "ms"),
)


def _bulk(work: Work, operations: int, rig: Rig, name: str, scale: Scale) -> Mapping[str, float]:
    run = rig.run(name, work, scale.operations(operations))
    return {
        "throughput": run.mb_per_cpu_s,
        "rate": run.outcome.octets / 1e6 / (run.outcome.elapsed_ns / 1e9),
        "p50": run.outcome.p50_ns / 1e6,
    }


def _measure(
    name: str, title: str, work: Work, operations: int, goals: tuple[float, float]
) -> Measure:
    """Make a measure against nginx as it comes and tuned; ``goals`` are the two ratios."""
    return Measure(
        name=name,
        title=title,
        metrics=_METRICS,
        contests=tuple(
            Contest(peer, OURS_KEEPALIVE, {"throughput": Goal(ratio=ratio)})
            for peer, ratio in zip((NGINX, NGINX_TUNED), goals, strict=True)
        ),
        run=partial(_bulk, work, operations),
        pairs_short=2,
        pairs_full=6,
    )


MEASURES: Final = (
    _measure(
        "bulk-down",
        "download of 64 MiB pieces, 1 session",
        Work(work="fetch", sessions=1, size=64 * _MIB),
        20,
        (3.5, 1.5),
    ),
    _measure(
        "bulk-down-many",
        "download of 1 MiB pieces, 50 sessions",
        Work(work="fetch", sessions=50, size=_MIB),
        1_200,
        (3.5, 1.5),
    ),
    _measure(
        "bulk-up",
        "upload of 64 MiB pieces, 1 session",
        Work(work="append", sessions=1, size=64 * _MIB),
        20,
        (3.0, 3.0),
    ),
)
