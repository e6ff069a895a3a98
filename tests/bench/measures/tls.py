"""Logins and downloads with TLS towards clients.

The load generator speaks TLS 1.3 with X25519 and AES-256-GCM only, the certificate is ECDSA P-256,
tickets are on: both proxies do the same cryptography with the same library.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

from tests.bench.measure import Better, Contest, Goal, Measure, Metric, Scale
from tests.bench.programs import Work
from tests.bench.proxies import NGINX_TLS, OURS_TLS
from tests.bench.rig import Rig

_MIB: Final = 2**20
_LOGINS: Final = 3_000
_ALONE: Final = 100
_PIECES: Final = 400

_METRICS: Final = (
    Metric("cpu", "us/login"),
    Metric("kernel", "of cpu", Better.NEITHER),
    Metric("rate", "logins/s", Better.HIGHER),
    Metric("p50", "ms"),
    Metric("p99", "ms"),
)


def _logins(work: Work, operations: int, rig: Rig, name: str, scale: Scale) -> Mapping[str, float]:
    run = rig.run(name, work, scale.operations(operations))
    return {
        "cpu": run.cpu_us,
        "kernel": run.system_share,
        "rate": run.per_s,
        "p50": run.outcome.p50_ns / 1e6,
        "p99": run.outcome.p99_ns / 1e6,
    }


def _download(rig: Rig, name: str, scale: Scale) -> Mapping[str, float]:
    work = Work(work="fetch", sessions=20, size=_MIB, tls="implicit")
    run = rig.run(name, work, scale.operations(_PIECES))
    return {
        "throughput": run.mb_per_cpu_s,
        "rate": run.outcome.octets / 1e6 / (run.outcome.elapsed_ns / 1e9),
    }


def _measure(
    name: str, title: str, work: Work, goals: Mapping[str, Goal], operations: int = _LOGINS
) -> Measure:
    return Measure(
        name=name,
        title=title,
        metrics=_METRICS,
        contests=(Contest(NGINX_TLS, OURS_TLS, goals),),
        run=partial(_logins, work, operations),
        pairs_short=2,
        pairs_full=8,
    )


MEASURES: Final = (
    _measure(
        "tls-login",
        "IMAP login with TLS, full handshake, 50 at once",
        Work(tls="implicit"),
        {"cpu": Goal(ratio=1.0)},
    ),
    _measure(
        "tls-login-resumed",
        "IMAP login with TLS, session resumed, 50 at once",
        Work(tls="implicit", resume=1),
        {"cpu": Goal(ratio=0.85)},
    ),
    _measure(
        "tls-login-alone",
        "IMAP login with TLS, full handshake, one at a time",
        Work(tls="implicit", sessions=1),
        {"p50": Goal(ratio=0.10, absolute=3.0)},
        _ALONE,
    ),
    _measure(
        "starttls-login",
        "IMAP login with STARTTLS, full handshake, 50 at once",
        Work(tls="starttls"),
        {},
    ),
    Measure(
        name="tls-bulk-down",
        title="download of 1 MiB pieces with TLS, 20 sessions",
        metrics=(
            Metric("throughput", "MB/cpu-s", Better.HIGHER),
            Metric("rate", "MB/s", Better.HIGHER),
        ),
        contests=(Contest(NGINX_TLS, OURS_TLS, {"throughput": Goal(ratio=1.3)}),),
        run=_download,
        pairs_short=2,
        pairs_full=6,
    ),
)
