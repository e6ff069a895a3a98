"""Thousands of sessions on one worker: what they cost, whether anybody notices, what they leave.

Not pairs: there is nobody beside it. A round opens all sessions and closes them; memory after the
last round may not be more than after the second one, which has seen all there is to allocate.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from tests.bench.accounting import open_files, pss_bytes
from tests.bench.programs import Load, Outcome, Work
from tests.bench.proxies import OURS_TLS, Ours
from tests.bench.rig import Rig, Run
from tests.support.wait import eventually

_SESSIONS: Final = 9_000
_ROUNDS: Final = 10
_LOGINS: Final = {"off": 4_000, "implicit": 1_000}
_SETTLE_S: Final = 2.5
_OVER_WITHIN_S: Final = 30.0
_DEADLINE_S: Final = 300.0

_MOST_CPU: Final = 1.25
"""CPU per login with all sessions there, relative to none."""
_MOST_GROWTH_MB: Final = 2.0


@dataclass(frozen=True, slots=True)
class Check:
    """One figure, and where it is bounded, the most it may be."""

    name: str
    figure: float
    unit: str
    most: float | None = None

    @property
    def is_kept(self) -> bool:
        """Whether the bound is kept."""
        return self.most is None or self.figure <= self.most

    def to_plain(self) -> dict[str, Any]:
        """Give as JSON data."""
        return {**asdict(self), "kept": self.is_kept}

    def __str__(self) -> str:
        bound = "" if self.most is None else f"≤ {self.most:g}"
        word = "" if self.most is None else "kept" if self.is_kept else "BROKEN"
        return f"{self.name:<52} {self.figure:>10,.5g} {self.unit:<10} {bound:<8} {word}".rstrip()


def checks(rig: Rig) -> Iterator[Check]:
    """Hold all sessions in clear, then all with TLS: both at once are more than a file limit."""
    for tls in ("off", "implicit"):
        with rig.fresh_proxy(OURS_TLS) as proxy:
            assert isinstance(proxy, Ours)
            yield from _held(rig, proxy, tls)
            yield from _rounds(rig, proxy, tls)


def _work(rig: Rig, tls: str) -> Work:
    sessions = min(_SESSIONS, rig.most_sessions())
    return Work(work="noop", sessions=sessions, tls=tls, deadline=_DEADLINE_S)


def _held(rig: Rig, proxy: Ours, tls: str) -> Iterator[Check]:
    work = _work(rig, tls)
    what = f"{work.sessions:,} sessions, TLS {tls}"
    alone = _logins(rig, proxy, tls)
    empty = pss_bytes(proxy.processes())
    with rig.load(proxy, work) as held:
        eventually(lambda: len(proxy.control.sessions) == work.sessions, "all are reported")
        time.sleep(_SETTLE_S)
        yield Check(
            f"{what}: memory", (pss_bytes(proxy.processes()) - empty) / work.sessions, "B/session"
        )
        yield Check(f"{what}: descriptors of the worker", open_files(proxy.worker()), "of limit")
        among = _logins(rig, proxy, tls)
        yield Check(
            f"{what}: CPU per login among them", among.cpu_us / alone.cpu_us, "x alone", _MOST_CPU
        )
        yield Check(f"{what}: p99 of a login among them", among.outcome.p99_ns / 1e6, "ms")
        took_s, slowest = _reload(rig, proxy, tls)
        yield Check(f"{what}: reload among them took", took_s, "s")
        yield Check(f"{what}: slowest login during it", slowest.max_ns / 1e6, "ms")
        answered = held.run(work.sessions).operations
        yield Check(f"{what}: lost by the reload", work.sessions - answered, "sessions", 0)
    _wait_until_over(proxy)


def _logins(rig: Rig, proxy: Ours, tls: str) -> Run:
    with rig.load(proxy, Work(tls=tls)) as load:
        load.run(200)
        return rig.measure(proxy, load, _LOGINS[tls])


def _reload(rig: Rig, proxy: Ours, tls: str) -> tuple[float, Outcome]:
    """Have it run another snapshot while logins go on; gives how long it took, and the logins."""
    outcomes: list[Outcome] = []

    def log_in(load: Load) -> None:
        outcomes.append(load.run(_LOGINS[tls]))

    servers = [{**server, "timeout_ms": 59_000} for server in proxy.snapshot["servers"]]
    with rig.load(proxy, Work(tls=tls, sessions=20)) as load:
        visitors = threading.Thread(target=log_in, args=(load,))
        visitors.start()
        begun = time.monotonic()
        proxy.control.apply({**proxy.snapshot, "servers": servers})
        took_s = time.monotonic() - begun
        visitors.join()
    (outcome,) = outcomes
    return took_s, outcome


def _rounds(rig: Rig, proxy: Ours, tls: str) -> Iterator[Check]:
    work = _work(rig, tls)
    what = f"{work.sessions:,} sessions, TLS {tls}, {_ROUNDS} rounds"
    files = open_files(proxy.worker())
    afterwards = []
    for _ in range(_ROUNDS):
        with rig.load(proxy, work) as load:
            load.run(work.sessions)
        _wait_until_over(proxy)
        time.sleep(_SETTLE_S)
        afterwards.append(pss_bytes(proxy.processes()) / 1e6)
    yield Check(f"{what}: memory after the second", afterwards[1], "MB")
    yield Check(
        f"{what}: growth from the second to the last",
        afterwards[-1] - afterwards[1],
        "MB",
        _MOST_GROWTH_MB,
    )
    yield Check(f"{what}: descriptors left over", open_files(proxy.worker()) - files, "", 32)


def _wait_until_over(proxy: Ours) -> None:
    control = proxy.control
    eventually(
        lambda: not control.sessions and not control.totals.get("sessions_open", 1),
        "every session is over",
        within_s=_OVER_WITHIN_S,
    )
