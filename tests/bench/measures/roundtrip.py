"""CPU per small command and answer in the relay: NOOP on 50 sessions."""

from collections.abc import Mapping
from typing import Final

from tests.bench.measure import Better, Contest, Goal, Measure, Metric, Scale
from tests.bench.programs import Work
from tests.bench.proxies import NGINX, OURS_KEEPALIVE
from tests.bench.rig import Rig

_OPERATIONS: Final = 120_000


def _noop(rig: Rig, name: str, scale: Scale) -> Mapping[str, float]:
    run = rig.run(name, Work(work="noop"), scale.operations(_OPERATIONS))
    return {
        "cpu": run.cpu_us,
        "kernel": run.system_share,
        "rate": run.per_s,
        "p50": run.outcome.p50_ns / 1e6,
    }


MEASURES: Final = (
    Measure(
        name="roundtrip",
        title="IMAP NOOP round trips, 50 sessions",
        metrics=(
            Metric("cpu", "us/round trip"),
            Metric("kernel", "of cpu", Better.NEITHER),
            Metric("rate", "per s", Better.HIGHER),
            Metric("p50", "ms"),
        ),
        contests=(Contest(NGINX, OURS_KEEPALIVE, {"cpu": Goal(ratio=1.20)}),),
        run=_noop,
    ),
)
