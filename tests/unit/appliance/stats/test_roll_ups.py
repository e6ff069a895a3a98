"""Roll-ups equal a recount of the raw records, whatever happens in between."""

import random
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.stats import rolling, services
from appliance.stats.levels import LENGTH, ORDER, Level, floor
from appliance.stats.models import NodeTotals, RollUp, Sample, Stale
from appliance.stats.numbers import unpack
from proxycore.contract.messages import Stats
from tests.unit.appliance.stats.telling import (
    START,
    Teller,
    after,
    known,
    recount,
    rolled,
)

pytestmark = pytest.mark.django_db

LONG_AFTER = timedelta(days=3)


def settle(now_s: float) -> None:
    """Add everything up, the last minute included."""
    assert rolling.roll_up(after(now_s) + timedelta(minutes=2)) >= 0
    assert not Stale.objects.exists()


def clear() -> None:
    for model in (NodeTotals, Sample, RollUp, Stale):
        model.objects.all().delete()


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["report"] * 8 + ["repeat", "reorder", "restart", "roll", "roll", "late"]),
        st.integers(1, 3),
        st.sampled_from([1, 5, 5, 5, 5, 9, 47, 130, 4000, 100_000]),
    ),
    min_size=1,
    max_size=30,
)


@pytest.mark.slow
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(_STEPS, st.randoms(use_true_random=False))
def test_roll_ups_equal_a_recount_of_the_raw_records(steps, dice: random.Random) -> None:
    play(steps, dice)


class Play:
    """Three nodes, the reports that are still on their way, and the time."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.tellers = {node: Teller(node, dice) for node in (1, 2, 3)}
        self.last: dict[int, Stats] = {}
        self.held: list[tuple[int, Stats]] = []
        self.now_s = 0.0

    def act(self, step: str, node: int, passed_s: int) -> None:
        self.now_s += passed_s
        now, teller = after(self.now_s), self.tellers[node]
        if step == "restart":
            teller.restart()
            self.last.pop(node, None)
        elif step == "roll":
            rolling.roll_up(now)
        elif step == "repeat":
            assert node not in self.last or not services.ingest(node, self.last[node], now)
        else:
            teller.work()
            age_s = float(passed_s) if step == "late" else 0.0
            report = teller.report(age_s, uptime_s=self.dice.choice((0.0, 5.0, 4000.0)))
            if step == "reorder":
                # it comes after the next one of its boot, if at all
                self.held.append((node, report))
            else:
                self.tell(node, report)

    def tell(self, node: int, report: Stats) -> None:
        services.ingest(node, report, after(self.now_s))
        self.last[node] = report
        for whose, older in self.held:
            if whose == node and older.boot_id == report.boot_id:
                assert not services.ingest(node, older, after(self.now_s))

    def end(self) -> None:
        for node, report in self.held:
            services.ingest(node, report, after(self.now_s))
        settle(self.now_s)


def play(steps, dice: random.Random) -> None:
    clear()
    game = Play(dice)
    for step, node, passed_s in steps:
        game.act(step, node, passed_s)
    game.end()
    everything: Counter[str] = Counter()
    for node, teller in game.tellers.items():
        everything += known(node)
        assert known(node) == +teller.counted
    for level in ORDER:
        for node in (0, 1, 2, 3):
            assert rolled(level, node) == recount(level, node), (level, node)
    assert sum(rolled(Level.DAY, 0).values(), start=Counter()) == everything


def tell(node: int, seq: int, logins: int, at_s: float, **more) -> bool:
    report = Stats(boot_id="b", seq=seq, values={"logins{server=a}": logins}, **more)
    return services.ingest(node, report, after(at_s))


def test_adding_up_again_changes_nothing() -> None:
    tell(1, 1, 5, 0, uptime_s=5.0)
    tell(1, 2, 9, 5)
    settle(10)
    before = list(RollUp.objects.order_by("pk").values_list("level", "start", "node", "data"))
    for row in RollUp.objects.all():
        services.mark_stale([(Level(row.level), row.start, row.node)], 7)
    settle(10)
    assert before == list(
        RollUp.objects.order_by("pk").values_list("level", "start", "node", "data")
    )


def test_a_crash_in_the_middle_is_mended_by_the_next_run(monkeypatch) -> None:
    tell(1, 1, 5, 0, uptime_s=5.0)
    tell(1, 2, 9, 70)
    real, calls = rolling.mark_stale, []

    def breaks(*what) -> None:
        calls.append(what)
        if len(calls) == 2:
            raise RuntimeError("power cut")
        real(*what)

    monkeypatch.setattr(rolling, "mark_stale", breaks)
    with pytest.raises(RuntimeError, match="power cut"):
        rolling.roll_up(after(200))
    monkeypatch.setattr(rolling, "mark_stale", real)
    settle(200)
    for level in ORDER:
        assert rolled(level, 0) == recount(level, 0)


def test_an_interval_over_borders_is_cut_and_no_count_is_lost() -> None:
    tell(1, 1, 0, 0)
    tell(1, 2, 100, 90)
    minutes = {sample.start: unpack(bytes(sample.data)) for sample in Sample.objects.filter(seq=2)}
    counts = [sum(minutes[start].counts.values()) for start in sorted(minutes)]
    # 20 s, 60 s and 10 s of three minutes
    assert counts == [22, 66, 12]


def test_what_is_told_hours_late_is_in_its_hours_and_counted_once() -> None:
    tell(1, 1, 0, 0)
    tell(1, 2, 600, 6 * 3600)
    assert set(Sample.objects.filter(seq=2).values_list("level", flat=True)) == {"hour", "minute"}
    settle(6 * 3600)
    hours = rolled(Level.HOUR, 1)
    assert len(hours) == 7
    assert hours[floor(Level.HOUR, START) + timedelta(hours=2)]["logins{server=a}"] == 100
    assert sum(bag.total() for bag in hours.values()) == 600


def test_totals_told_afterwards_have_the_shape_of_their_time() -> None:
    tell(1, 1, 0, 0)
    for minute in range(1, 6):
        tell(1, 1 + minute, 10**minute, 600, age_s=600.0 - 60 * minute)
    settle(600)
    minutes = rolled(Level.MINUTE, 1)
    assert sum(bag.total() for bag in minutes.values()) == 10**5
    last = minutes[floor(Level.MINUTE, after(300))]["logins{server=a}"]
    assert last == pytest.approx(90_000 * 40 / 60, abs=1)


def test_where_nothing_was_heard_there_is_no_row() -> None:
    tell(1, 1, 1, 0)
    tell(1, 2, 2, 5)
    services.ingest(1, Stats(boot_id="c", seq=1, values={}, uptime_s=5.0), after(600))
    settle(600)
    starts = sorted(rolled(Level.MINUTE, 0))
    assert len(starts) == 2
    assert starts[1] - starts[0] > timedelta(minutes=5)


def test_a_gauge_is_a_mean_over_time_and_a_sum_over_nodes() -> None:
    for node, levels in ((1, (10, 30)), (2, (1, 1))):
        for seq, level in enumerate(levels):
            report = Stats(boot_id="b", seq=seq, values={"sessions_open": level})
            services.ingest(node, report, after(30 + 5 * seq))
    settle(60)
    row = RollUp.objects.get(level=Level.MINUTE, node=0)
    gauge = unpack(bytes(row.data)).gauges["sessions_open"]
    assert (gauge.mean, gauge.most) == (21, 31)


def test_pruning_leaves_every_total_as_it_is() -> None:
    for seq in range(40):
        tell(1, seq, 10 * seq, 600 * seq, uptime_s=5.0)
    settle(600 * 40)
    days = rolled(Level.DAY, 0)
    now = after(600 * 40)
    rolling.prune(now)
    assert not Sample.objects.filter(start__lt=now - timedelta(hours=3)).exists()
    tell(1, 100, 1000, 600 * 40)
    settle(600 * 40)
    assert sum(bag.total() for bag in rolled(Level.DAY, 0).values()) == 1000
    assert sum(bag.total() for bag in days.values()) == 390


def test_nothing_is_pruned_that_has_not_been_added_up() -> None:
    tell(1, 1, 1, 0)
    tell(1, 2, 8, 5)
    now = START + LONG_AFTER
    rolling.prune(now)
    assert Sample.objects.count() == 2
    rolling.roll_up(now)
    rolling.prune(now)
    assert not Sample.objects.exists()
    assert sum(bag.total() for bag in rolled(Level.HOUR, 1).values()) == 8


def test_each_level_is_kept_for_as_long_as_the_settings_say(settings) -> None:
    tell(1, 1, 1, 0)
    tell(1, 2, 8, 5)
    settle(5)
    for days, left in ((1, 3), (settings.STATS_MINUTES_KEPT_D + 1, 2)):
        rolling.prune(START + timedelta(days=days))
        assert RollUp.objects.filter(node=1).count() == left
    rolling.prune(START + timedelta(days=settings.STATS_HOURS_KEPT_D + 1))
    assert [*RollUp.objects.filter(node=1).values_list("level", flat=True)] == ["day"]
    rolling.prune(START + timedelta(days=settings.STATS_DAYS_KEPT_D + 2))
    assert not RollUp.objects.exists()


def test_buckets_begin_on_the_hour_and_at_midnight() -> None:
    for level in ORDER:
        start = floor(level, START)
        assert start <= START < start + LENGTH[level]
    assert (floor(Level.DAY, START).hour, floor(Level.HOUR, START).minute) == (0, 0)
