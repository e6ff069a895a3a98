"""CPU per login and logins per second, 50 at once: the whole way in and out of a short session."""

from collections.abc import Mapping
from typing import Final

from tests.bench.measure import Better, Contest, Goal, Measure, Metric, Scale
from tests.bench.programs import Work
from tests.bench.proxies import DOVECOT, NGINX, OURS, OURS_CACHED, OURS_KEEPALIVE
from tests.bench.rig import Rig

_OPERATIONS: Final = 12_000

_METRICS: Final = (
    Metric("cpu", "us/login"),
    Metric("kernel", "of cpu", Better.NEITHER),
    Metric("rate", "logins/s", Better.HIGHER),
    Metric("p50", "ms"),
    Metric("p99", "ms"),
)


def _run(protocol: str, rig: Rig, name: str, scale: Scale) -> Mapping[str, float]:
    run = rig.run(name, Work(protocol=protocol), scale.operations(_OPERATIONS))
    return {
        "cpu": run.cpu_us,
        "kernel": run.system_share,
        "rate": run.per_s,
        "p50": run.outcome.p50_ns / 1e6,
        "p99": run.outcome.p99_ns / 1e6,
    }


def _imap(rig: Rig, name: str, scale: Scale) -> Mapping[str, float]:
    return _run("imap", rig, name, scale)


def _pop3(rig: Rig, name: str, scale: Scale) -> Mapping[str, float]:
    return _run("pop3", rig, name, scale)


def _smtp(rig: Rig, name: str, scale: Scale) -> Mapping[str, float]:
    return _run("smtp", rig, name, scale)


_KEEPALIVE: Final = Contest(
    NGINX, OURS_KEEPALIVE, {"cpu": Goal(ratio=0.90), "rate": Goal(ratio=1.10)}
)

MEASURES: Final = (
    Measure(
        name="login-new",
        title="IMAP login, a new auth_http connection each",
        metrics=_METRICS,
        contests=(Contest(NGINX, OURS),),
        run=_imap,
    ),
    Measure(
        name="login-keepalive",
        title="IMAP login, auth_http kept alive",
        metrics=_METRICS,
        contests=(_KEEPALIVE, Contest(DOVECOT, OURS_KEEPALIVE)),
        run=_imap,
    ),
    Measure(
        name="login-cached",
        title="IMAP login, cached verdict",
        metrics=_METRICS,
        contests=(
            Contest(NGINX, OURS_CACHED, {"cpu": Goal(ratio=0.80), "rate": Goal(ratio=1.25)}),
        ),
        run=_imap,
    ),
    Measure(
        name="login-pop3",
        title="POP3 login, auth_http kept alive",
        metrics=_METRICS,
        contests=(Contest(NGINX, OURS_KEEPALIVE),),
        run=_pop3,
        pairs_short=2,
    ),
    Measure(
        name="login-smtp",
        title="SMTP login, auth_http kept alive",
        metrics=_METRICS,
        contests=(Contest(NGINX, OURS_KEEPALIVE),),
        run=_smtp,
        pairs_short=2,
    ),
)
