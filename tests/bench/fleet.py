"""What a fleet costs the control plane, and how its live page does in a browser meanwhile.

``python -m tests.bench.fleet [--grown-up] [NODES SESSIONS_PER_NODE]``; part of ``make bench``. The
appliance runs whole, as ``make run`` starts it, on SQLite; ``--grown-up``: on PostgreSQL and Redis
of its own, which are accounted for by themselves. Its own node is left out of the account.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from tests.bench.accounting import cpu_time, process_tree, rss_bytes
from tests.bench.machine import REPOSITORY
from tests.bench.scale import Check
from tests.support.appliance import ADMINISTRATOR, ADMINISTRATOR_PASSWORD, Appliance
from tests.support.databases import PostgreSQL, Redis
from tests.support.process import Program, command_line
from tests.support.wait import eventually

NODES: Final = 50
SESSIONS: Final = 400
"""Of each node."""

_PACE: Final = 100
"""Sessions to be disconnected in a second."""

_SETTLE_S: Final = 5.0
_WATCH_S: Final = 20.0

_MOST_FIRST_PAGE_S: Final = 2.0
_MOST_DELAY_S: Final = 3.0
_MOST_FRAMES_PER_S: Final = 1.2

_WATCH_PAGE: Final = """() => {
  window.delays = []; window.stalls = [];
  const seen = new Set();
  new MutationObserver(() => document.querySelectorAll("#live-sessions tbody .live-user span")
    .forEach((cell) => {
      const text = cell.textContent;
      if (!text.startsWith("beacon-") || seen.has(text)) return;
      seen.add(text);
      window.delays.push(Date.now() - Number(text.slice(7)));
    })).observe(document.querySelector("#live-sessions tbody"), { childList: true, subtree: true });
  let last = performance.now();
  setInterval(() => {
    const now = performance.now(); window.stalls.push(now - last - 20); last = now;
  }, 20);
}"""


def checks(
    nodes: int = NODES, sessions: int = SESSIONS, *, grown_up: bool = False
) -> Iterator[Check]:
    """Account for a fleet, then look at its live page; on SQLite unless it is ``grown_up``."""
    total = nodes * sessions
    with ExitStack() as stack:
        stores: list[Program] = []
        variables: dict[str, str] = {}
        if grown_up:
            database, redis = stack.enter_context(PostgreSQL()), stack.enter_context(Redis())
            stores = [database, redis]
            variables = {"POSTROAD_DATABASE_URL": database.url, "POSTROAD_REDIS_URL": redis.url}
        appliance = stack.enter_context(Appliance(variables=variables))
        appliance.make_administrator()
        idle = _spent(appliance, stores)
        with _fleet(appliance, nodes, sessions):
            eventually(lambda: _known(appliance) >= total, "all are in the index", within_s=240)
            time.sleep(_SETTLE_S)
            busy = _spent(appliance, stores)
            what = f"{nodes} nodes, {total:,} sessions"
            yield Check(f"{what}: control plane", busy.cpu_s * 100, "% of a CPU")
            yield Check(f"{what}: of it without nodes", idle.cpu_s * 100, "% of a CPU")
            for store in stores:
                name = store.name
                yield Check(f"{what}: {name}", busy.stores_s[name] * 100, "% of a CPU")
                yield Check(
                    f"{what}: {name} without nodes", idle.stores_s[name] * 100, "% of a CPU"
                )
            yield Check("CPU per node", (busy.cpu_s - idle.cpu_s) / nodes * 1e3, "ms/s")
            yield Check("CPU per session", (busy.cpu_s - idle.cpu_s) / total * 1e6, "us/s")
            grown = busy.rss - idle.rss
            yield Check("memory per node", grown / nodes / 1024, "KB")
            yield Check("memory per session", grown / total, "B")
            yield from _looked_at(appliance)
            yield from _disconnected(appliance)


@contextmanager
def _fleet(appliance: Appliance, nodes: int, sessions: int) -> Generator[None, None, None]:
    tokens = appliance.python(
        "from appliance.fleet.services import nodes\n"
        f"for i in range({nodes}): print(nodes.enrol(f'edge-{{i:03}}')[1].reveal())"
    )
    command = [sys.executable, "-m", "tests.bench.fleet_load", appliance.link_url, str(sessions)]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as load:
        assert load.stdin is not None
        assert load.stdout is not None
        load.stdin.write(tokens.strip() + "\n\n")
        load.stdin.flush()
        assert load.stdout.readline() == "told\n", "the fleet did not report"
        yield
        assert load.poll() is None, "the fleet broke"
        load.stdin.close()
    assert load.returncode == 0, "the fleet broke"


def _known(appliance: Appliance) -> int:
    count = "from appliance.fleet.models import LiveSession\nprint(LiveSession.objects.count())"
    return int(appliance.python(count))


def _processes(appliance: Appliance) -> list[int]:
    return [pid for pid in process_tree(appliance.pid) if "proxycore" not in command_line(pid)]


@dataclass(frozen=True, slots=True)
class _Spent:
    """CPU seconds per second, and resident memory."""

    cpu_s: float
    rss: int
    stores_s: dict[str, float]
    """CPU of database and Redis, by name."""


def _spent(appliance: Appliance, stores: Sequence[Program]) -> _Spent:
    pids = _processes(appliance)
    trees = {store.name: process_tree(store.pid) for store in stores}
    # a backend of the database may end meanwhile: those that began and are still there count
    began, before = time.monotonic(), cpu_time(pids)
    stores_before = {name: {pid: _cpu_of(pid) for pid in tree} for name, tree in trees.items()}
    time.sleep(_WATCH_S)
    passed_s = time.monotonic() - began
    spent = cpu_time(pids) - before
    stores_s = {
        name: sum(max(0, _cpu_of(pid) - ns) for pid, ns in known.items()) / 1e9 / passed_s
        for name, known in stores_before.items()
    }
    return _Spent(spent.total_ns / 1e9 / passed_s, rss_bytes(pids), stores_s)


def _cpu_of(pid: int) -> int:
    try:
        return cpu_time([pid]).total_ns
    except FileNotFoundError:
        return 0


_DISCONNECT: Final = """
import json, time
from django.db.models import Count
from appliance.fleet.models import LiveSession
from appliance.fleet.services import disconnects
counts = LiveSession.objects.values_list('backend').annotate(n=Count('pk')).order_by('-n')
backend = counts[0][0]
begun = time.monotonic()
job = disconnects.disconnect_matching(f'server={backend}', None, per_second=PACE)
asked = time.monotonic()
while job.sessions.exists() and time.monotonic() < begun + 120:
    time.sleep(0.05)
job.refresh_from_db()
print(json.dumps([job.total, job.failed, asked - begun, time.monotonic() - begun]))
"""


def _disconnected(appliance: Appliance) -> Iterator[Check]:
    """Disconnect all sessions of the mail server that has most, over all nodes."""
    code = _DISCONNECT.replace("PACE", str(_PACE))
    total, failed, asked_s, took_s = json.loads(appliance.python(code).splitlines()[-1])
    yield Check(f"mass disconnect: {total} sessions of a mail server asked for", asked_s, "s")
    yield Check(f"mass disconnect: pace, {_PACE}/s wanted", total / took_s, "/s", _PACE * 1.1)
    yield Check("mass disconnect: not reached", failed, "sessions", 0)


def _looked_at(appliance: Appliance) -> Iterator[Check]:
    from tests.support.browser import chromium, keep_screenshot, sign_in

    with chromium() as browser:
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        frames: list[int] = []
        sign_in(page, appliance.url, ADMINISTRATOR, ADMINISTRATOR_PASSWORD)
        page.on(
            "websocket", lambda ws: ws.on("framereceived", lambda text: frames.append(len(text)))
        )
        began = time.monotonic()
        page.goto(f"{appliance.url}/admin/fleet/livesession/?o=user")
        page.wait_for_selector("#live-sessions tbody tr")
        yield Check("live page: first sessions", time.monotonic() - began, "s", _MOST_FIRST_PAGE_S)
        page.evaluate(_WATCH_PAGE)
        frames.clear()
        page.wait_for_timeout(_WATCH_S * 1000)
        delays: list[float] = sorted(page.evaluate("window.delays"))
        stalls: list[float] = page.evaluate("window.stalls")
        assert delays, "the page did not move"
        yield Check("live page: delay of a session, median", _middle(delays) / 1000, "s")
        yield Check("live page: delay, longest", delays[-1] / 1000, "s", _MOST_DELAY_S)
        yield Check("live page: frames", len(frames) / _WATCH_S, "/s", _MOST_FRAMES_PER_S)
        yield Check("live page: received", sum(frames) / _WATCH_S / 1024, "KB/s")
        yield Check("live page: browser's longest stall", max(stalls), "ms", 250)
        keep_screenshot(page, "live-fleet")
        yield from _searched(page)
        page.goto(f"{appliance.url}/admin/fleet/node/")
        keep_screenshot(page, "fleet-nodes")


def _searched(page: Any) -> Iterator[Check]:
    for text in ("user19", "10.7.0.0/16 tls:1.2", "server=198.51.100.3:143 older:1s"):
        began = time.monotonic()
        page.get_by_role("searchbox", name="Search live sessions").fill(text)
        word = text.split()[0].removeprefix("server=").removesuffix("0.0/16")
        page.wait_for_function(
            "word => [...document.querySelectorAll('#live-sessions tbody tr')].length > 0 &&"
            " [...document.querySelectorAll('#live-sessions tbody tr')]"
            ".every(row => row.textContent.includes(word))",
            arg=word,
        )
        yield Check(f"live page: search {text}", time.monotonic() - began, "s", _MOST_FIRST_PAGE_S)


def _middle(values: list[float]) -> float:
    return values[len(values) // 2]


def main() -> int:
    """Print them. Exit status 1: one is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fleet")
    parser.add_argument("--grown-up", action="store_true", help="on PostgreSQL and Redis")
    parser.add_argument("nodes", type=int, nargs="?", default=NODES)
    parser.add_argument("sessions", type=int, nargs="?", default=SESSIONS, help="of each node")
    options = parser.parse_args()
    found = []
    for check in checks(options.nodes, options.sessions, grown_up=options.grown_up):
        print(check, flush=True)
        found.append(check.is_kept)
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
