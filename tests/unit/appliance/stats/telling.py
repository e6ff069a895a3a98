"""Nodes that count at random and tell of it, for tests of roll-ups; and the recount."""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from appliance.stats.levels import LENGTH, Level, floor
from appliance.stats.models import NodeTotals, RollUp, Sample
from appliance.stats.numbers import unpack
from proxycore.contract.messages import Stats
from proxycore.contract.stats import HISTOGRAM_SIZE

START = datetime(2026, 3, 1, 22, 58, 40, tzinfo=UTC)
NAMES = ("logins{server=imap}", "bytes_to_front{server=imap}", "backend_logins{backend=a:1}")
TIMES = ("auth_time{server=imap}", "backend_login_time{backend=a:1}")


@dataclass
class Teller:
    """One node. Its counts only grow until it is restarted."""

    node: int
    dice: random.Random
    boot: int = 0
    seq: int = 0
    values: Counter[str] = field(default_factory=Counter)
    histograms: dict[str, list[int]] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)
    """Everything that ever happened, and was reported or will be."""

    def work(self) -> None:
        for name in NAMES:
            more = self.dice.choice((0, 0, 1, 7, 1000))
            self.values[name] += more
            self.counted[name] += more
        for name in TIMES:
            row = self.histograms.setdefault(name, [0] * HISTOGRAM_SIZE)
            place, took_us = self.dice.randrange(HISTOGRAM_SIZE - 1), self.dice.randrange(10_000)
            row[place] += 1
            row[-1] += took_us
            self.counted[f"{name}#{place}"] += 1
            self.counted[f"{name}#sum"] += took_us

    def report(self, age_s: float = 0.0, uptime_s: float = 0.0) -> Stats:
        self.seq += 1
        return Stats(
            boot_id=f"boot{self.boot}",
            seq=self.seq,
            values={**self.values, "sessions_open": self.dice.randrange(50)},
            histograms={name: list(row) for name, row in self.histograms.items()},
            age_s=age_s,
            uptime_s=uptime_s,
        )

    def restart(self) -> None:
        self.boot, self.seq = self.boot + 1, 0
        self.values, self.histograms = Counter(), {}


def flat(counts: dict[str, int], histograms: dict[str, list[int]]) -> Counter[str]:
    """Give counts and histograms as one bag of numbers."""
    bag = Counter(counts)
    for name, row in histograms.items():
        bag.update({f"{name}#{i}": count for i, count in enumerate(row[:-1])})
        bag[f"{name}#sum"] += row[-1]
    return +bag


def recount(level: Level, node: int) -> dict[datetime, Counter[str]]:
    """Count the raw records anew, bucket by bucket, without any roll-up."""
    found: dict[datetime, Counter[str]] = {}
    samples = Sample.objects.filter(node=node) if node else Sample.objects.all()
    for sample in samples:
        if LENGTH[Level(sample.level)] <= LENGTH[level]:
            numbers = unpack(bytes(sample.data))
            bucket = found.setdefault(floor(level, sample.start), Counter())
            bucket.update(flat(numbers.counts, numbers.histograms))
    return {start: +bag for start, bag in found.items()}


def rolled(level: Level, node: int) -> dict[datetime, Counter[str]]:
    """Give what the roll-ups say."""
    rows = RollUp.objects.filter(level=level, node=node)
    numbers = {row.start: unpack(bytes(row.data)) for row in rows}
    return {start: flat(one.counts, one.histograms) for start, one in numbers.items()}


def known(node: int) -> Counter[str]:
    """Give all that is known of a node's boots."""
    bag: Counter[str] = Counter()
    for row in NodeTotals.objects.filter(node=node):
        values = {name: value for name, value in row.values.items() if name != "sessions_open"}
        bag.update(flat(values, row.histograms))
    return +bag


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)
