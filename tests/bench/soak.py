"""A long while of sessions that end at every state, and what is left of them: ``make soak``.

All protocols, in clear and with TLS on either leg, logins let in, refused and sent to mail servers
that are not there or misbehave; the node takes another snapshot every few seconds. When everybody
has gone, a worker must hold what it held before: no session, descriptor, pipe, timer or memory
more, and every session that was accepted is counted as closed.

SOAK_S says how long it takes (1800 seconds), SOAK_SEED what the dice show.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Final

from proxycore.contract.stats import parse_series
from tests.bench.accounting import open_files, pipes_of, pss_bytes, wakeups_of
from tests.bench.machine import Unfit
from tests.bench.proxies import OURS_TLS, Ours
from tests.bench.rig import Rig
from tests.bench.visitors import Crowd, RudeServer
from tests.support.wait import eventually

_THREADS: Final = 24
_RELOAD_S: Final = 15.0
_SETTLE_S: Final = 3.0
_IDLE_S: Final = 5.0
_CALM_WITHIN_S: Final = 90.0
"""Longer than ``timeout``: a session may sit out its deadline."""

_KEPT_FILES: Final = 16 + 16
"""Descriptors that may stay: idle connections to the auth service, and empty pipes (pipes.py)."""
_GROWTH_BYTES: Final = 4_000_000
"""Of all processes together: an allocator's noise, less than a thousandth part of all sessions."""


@dataclass(frozen=True, slots=True)
class State:
    """What a node holds when nobody is there."""

    files: int
    pipes: int
    pss_bytes: int
    wakeups_per_s: float


def main() -> int:
    """Run it. Exit status 1: something was left over or went wrong; 2: this machine is unfit."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    duration_s = float(os.environ.get("SOAK_S", "1800"))
    seed = int(os.environ.get("SOAK_SEED", "1"))
    try:
        with contextlib.closing(RudeServer(seed)) as rude, Rig(rude.port) as rig:
            problems = _soak(rig, duration_s, seed)
    except Unfit as error:
        print(f"soak: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    for problem in problems:
        print(f"soak: {problem}", file=sys.stderr)
    print("soak: failed" if problems else "soak: nothing is left over")
    return 1 if problems else 0


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _soak(rig: Rig, duration_s: float, seed: int) -> list[str]:
    proxy = rig.proxy(OURS_TLS)
    assert isinstance(proxy, Ours)
    problems = _visit(proxy, max(15.0, duration_s / 10), seed)
    before = _calm(proxy)
    print(f"warmed up: {before}", flush=True)
    problems += _visit(proxy, duration_s, seed + 1)
    for stub in rig.stubs:
        stub.check_alive()
    after = _calm(proxy)
    print(f"afterwards: {after}", flush=True)
    return problems + left_over(before, after) + uncounted(proxy.control.totals) + _said(proxy)


def _visit(proxy: Ours, duration_s: float, seed: int) -> list[str]:
    """Let people in for so long; gives what they had to complain about."""
    until = time.monotonic() + duration_s
    reloads = 0
    with Crowd(proxy.ports, _THREADS, seed) as crowd:
        while (left_s := until - time.monotonic()) > 0:
            time.sleep(min(_RELOAD_S, left_s))
            reloads += 1
            _reload(proxy, reloads)
            proxy.check_alive()
    visits = sum(crowd.endings.values()) + len(crowd.faults)
    gone = sum(count for ending, count in crowd.endings.items() if ending.startswith("left"))
    print(
        f"{visits:,} visits in {duration_s:.0f} s, {crowd.endings['done']:,} to their end, "
        f"{gone:,} left early in {len(crowd.endings)} ways and places, {reloads} reloads",
        flush=True,
    )
    return crowd.faults[:10] + [f"{len(crowd.faults)} faults"] * bool(crowd.faults)


def _reload(proxy: Ours, number: int) -> None:
    """Change every block a little, so that sessions of many snapshots live at once."""
    servers = [
        {**server, "timeout_ms": 20_000 + number % 2} for server in proxy.snapshot["servers"]
    ]
    proxy.control.apply({**proxy.snapshot, "servers": servers})


def _calm(proxy: Ours) -> State:
    """Wait until the last session has ended and was reported; then look."""
    control = proxy.control
    eventually(
        lambda: not control.sessions and not control.totals.get("sessions_open", 1),
        "no session is left",
        within_s=_CALM_WITHIN_S,
    )
    time.sleep(_SETTLE_S)
    worker = proxy.worker()
    slept = wakeups_of(worker)
    time.sleep(_IDLE_S)
    return State(
        files=open_files(worker),
        pipes=pipes_of(worker),
        pss_bytes=pss_bytes(proxy.processes()),
        wakeups_per_s=(wakeups_of(worker) - slept) / _IDLE_S,
    )


def left_over(before: State, after: State) -> list[str]:
    """Say what there is more of than there was."""
    problems = []
    if after.files > before.files + _KEPT_FILES:
        problems.append(f"{after.files - before.files} descriptors more than before")
    if after.pipes > before.pipes + _KEPT_FILES:
        problems.append(f"{after.pipes - before.pipes} ends of pipes more than before")
    if after.pss_bytes > before.pss_bytes + _GROWTH_BYTES:
        problems.append(f"{(after.pss_bytes - before.pss_bytes) / 1e6:.1f} MB more than before")
    if after.wakeups_per_s > before.wakeups_per_s + 2:
        problems.append(f"timers: {after.wakeups_per_s:.1f} wake-ups per second while idle")
    return problems


def uncounted(totals: Mapping[str, int]) -> list[str]:
    """Say which server blocks did not count every session they accepted as closed."""
    accepted: dict[str, int] = {}
    closed: dict[str, int] = {}
    for name, value in totals.items():
        stat, labels = parse_series(name)
        if stat.name == "sessions_accepted":
            accepted[labels["server"]] = value
        elif stat.name == "sessions_closed":
            closed[labels["server"]] = closed.get(labels["server"], 0) + value
    problems = [
        f"{server}: {count} sessions accepted, {closed.get(server, 0)} counted as closed"
        for server, count in accepted.items()
        if count != closed.get(server, 0)
    ]
    if totals.get("sessions_relaying"):
        problems.append(f"{totals['sessions_relaying']} sessions counted as proxied")
    return problems


def _said(proxy: Ours) -> list[str]:
    """Give what the log says of faults of our own."""
    lines = proxy.log().splitlines()
    return [
        line for line in lines if any(bad in line for bad in ("Traceback", "[alert]", "[crit]"))
    ]


if __name__ == "__main__":
    sys.exit(main())
