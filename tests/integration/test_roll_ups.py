"""Roll-ups on a real PostgreSQL, with several workers at it while nodes report."""

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.databases import PostgreSQL

ROOT = Path(__file__).resolve().parents[2]

_PLAY = """\
import random, threading
import django
django.setup()
from django.core.management import call_command
from django.db import connection, connections
call_command("migrate", verbosity=0)
from appliance.stats import rolling, services
from appliance.stats.levels import ORDER
from appliance.stats.models import RollUp, Sample, Stale
from tests.unit.appliance.stats.telling import Teller, after, known, recount, rolled
assert connection.vendor == "postgresql"
tellers = {node: Teller(node, random.Random(node)) for node in (1, 2, 3, 4)}
clock, done, faults = [0.0], threading.Event(), []

def guarded(act):
    def run():
        try:
            act()
        except BaseException as fault:
            faults.append(repr(fault))
            raise
        finally:
            connections.close_all()
    return run

def report(node):
    def act():
        teller = tellers[node]
        for i in range(150):
            teller.work()
            now_s = 5.0 * i + node
            clock[0] = max(clock[0], now_s)
            told = teller.report(age_s=teller.dice.choice((0.0, 0.0, 900.0, 9000.0)))
            services.ingest(node, told, after(now_s))
            services.ingest(node, told, after(now_s))
            if i % 60 == 50:
                teller.restart()
    return act

def roll():
    while not done.is_set():
        rolling.roll_up(after(clock[0] + 120))

reporters = [threading.Thread(target=guarded(report(node))) for node in tellers]
rollers = [threading.Thread(target=guarded(roll)) for _ in range(3)]
for thread in (*reporters, *rollers):
    thread.start()
for thread in reporters:
    thread.join()
done.set()
for thread in rollers:
    thread.join()
rolling.roll_up(after(clock[0] + 120))
assert faults == [], faults
assert not Stale.objects.exists()
for node, teller in tellers.items():
    assert known(node) == +teller.counted, node
for level in ORDER:
    for node in (0, *tellers):
        assert rolled(level, node) == recount(level, node), (level, node)
print("SAMPLES", Sample.objects.count(), "ROLLUPS", RollUp.objects.count())
"""


@pytest.fixture(scope="module")
def database() -> Generator[PostgreSQL, None, None]:
    with PostgreSQL() as running:
        yield running


def test_roll_ups_equal_a_recount_with_everybody_at_work_at_once(
    database: PostgreSQL, tmp_path: Path
) -> None:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("POSTROAD_")}
    played = subprocess.run(
        [sys.executable, "-c", _PLAY],
        cwd=ROOT,
        env=ours
        | {
            "POSTROAD_DATABASE_URL": database.url,
            "POSTROAD_STATE_DIR": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "appliance.settings",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert played.returncode == 0, played.stderr[-3000:]
    assert "SAMPLES" in played.stdout
