"""Mail-sized answers on a busy proxy: 6,000 octets on 50 sessions, more than one 4 kB buffer."""

from collections.abc import Mapping
from typing import Final

from tests.bench.measure import Better, Contest, Goal, Measure, Metric, Scale
from tests.bench.programs import Work
from tests.bench.proxies import NGINX, NGINX_TUNED, OURS_KEEPALIVE
from tests.bench.rig import Rig

_OPERATIONS: Final = 8_000


def _messages(rig: Rig, name: str, scale: Scale) -> Mapping[str, float]:
    run = rig.run(name, Work(work="fetch", size=6_000), scale.operations(_OPERATIONS))
    return {
        "p50": run.outcome.p50_ns / 1e6,
        "p99": run.outcome.p99_ns / 1e6,
        "rate": run.per_s,
        "throughput": run.mb_per_cpu_s,
    }


MEASURES: Final = (
    Measure(
        name="messages",
        title="messages of 6,000 octets, 50 sessions",
        metrics=(
            Metric("p50", "ms"),
            Metric("p99", "ms"),
            Metric("rate", "messages/s", Better.HIGHER),
            Metric("throughput", "MB/cpu-s", Better.HIGHER),
        ),
        contests=(
            Contest(
                NGINX,
                OURS_KEEPALIVE,
                {"p50": Goal(absolute=2.0), "rate": Goal(ratio=20.0)},
            ),
            Contest(NGINX_TUNED, OURS_KEEPALIVE),
        ),
        run=_messages,
        pairs_short=2,
        pairs_full=6,
    ),
)
