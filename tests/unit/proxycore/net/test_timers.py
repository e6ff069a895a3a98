"""The timer wheel, driven by a clock of the test's own."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from proxycore.net.timers import TimerWheel

TICK_S = 0.1


def fire_all(wheel: TimerWheel, now: float) -> None:
    for timer in wheel.take_due(now):
        timer.fire()


def test_a_timer_is_never_early_and_at_most_a_tick_late() -> None:
    wheel, fired = TimerWheel(100.0), []
    wheel.add(100.25, lambda: fired.append(1))
    fire_all(wheel, 100.249)
    assert fired == []
    fire_all(wheel, 100.25 + TICK_S)
    assert fired == [1]


def test_a_timer_beyond_one_revolution_waits_for_its_own() -> None:
    wheel, fired = TimerWheel(0.0), []
    wheel.add(86_400.0, lambda: fired.append("day"))
    wheel.add(150.0, lambda: fired.append("later"))
    for now in range(0, 86_400, 50):
        fire_all(wheel, float(now))
        if now == 100:
            assert fired == []
    assert fired == ["later"]
    fire_all(wheel, 86_400.1)
    assert fired == ["later", "day"]


def test_a_long_sleep_loses_no_timer() -> None:
    wheel, fired = TimerWheel(0.0), []
    for at in (1, 103, 500, 10_000):
        wheel.add(float(at), lambda at=at: fired.append(at))
    fire_all(wheel, 20_000.0)
    assert sorted(fired) == [1, 103, 500, 10_000]
    assert len(wheel) == 0


def test_a_cancelled_timer_leaves_nothing_and_does_not_fire() -> None:
    wheel, fired = TimerWheel(0.0), []
    timer = wheel.add(1.0, lambda: fired.append(1))
    timer.cancel()
    timer.cancel()
    assert len(wheel) == 0
    fire_all(wheel, 10.0)
    assert fired == []


def test_a_timer_cancelled_by_one_that_is_due_with_it_does_not_fire() -> None:
    wheel, fired = TimerWheel(0.0), []
    first = wheel.add(1.0, lambda: (fired.append("first"), second.cancel()))
    second = wheel.add(1.0, lambda: fired.append("second"))
    fire_all(wheel, 2.0)
    first.fire()
    assert fired == ["first"]


def test_an_empty_wheel_lets_the_loop_sleep_for_ever() -> None:
    wheel = TimerWheel(0.0)
    assert wheel.wait_s(0.0) is None
    wheel.add(3.0, lambda: None)
    assert 3.0 <= (wheel.wait_s(0.0) or 0) <= 3.0 + TICK_S
    fire_all(wheel, 5.0)
    assert wheel.wait_s(5.0) is None


def test_setting_a_timer_in_the_past_fires_it_in_the_next_tick() -> None:
    wheel, fired = TimerWheel(10.0), []
    wheel.add(3.0, lambda: fired.append(1))
    fire_all(wheel, 10.01 + TICK_S)
    assert fired == [1]


@given(
    st.lists(
        st.tuples(st.floats(0, 400), st.floats(0, 400), st.booleans()), min_size=1, max_size=40
    ),
    st.lists(st.floats(0.01, 90), min_size=1, max_size=30),
)
def test_every_timer_fires_once_in_its_tick(
    plans: list[tuple[float, float, bool]], pauses: list[float]
) -> None:
    now, wheel = 0.0, TimerWheel(0.0)
    fired: dict[int, float] = {}
    clock = [0.0]
    due: dict[int, float] = {}
    for number, (delay_s, _, cancelled) in enumerate(plans):
        timer = wheel.add(delay_s, lambda number=number: fired.setdefault(number, clock[0]))
        if cancelled:
            timer.cancel()
        else:
            due[number] = delay_s
    for pause_s in [*pauses, 1000.0]:
        before, now = now, now + pause_s
        clock[0] = now
        wait_s = wheel.wait_s(before)
        fire_all(wheel, now)
        for number, at in due.items():
            if number in fired and fired[number] == now:
                assert at <= now
                assert wait_s is not None
                assert before + wait_s <= at + 2 * TICK_S
            elif number not in fired:
                assert at > now - TICK_S
    assert fired.keys() == due.keys()


def test_busy_seconds_leave_no_memory_behind():
    """A thousand logins in each of a few hundred ticks, all done in time, and then their ticks."""
    wheel = TimerWheel(0.0)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for tick in range(300):
            for timer in [wheel.add(60.0 + tick * TICK_S, list) for _ in range(1000)]:
                timer.cancel()
        kept, _ = tracemalloc.get_traced_memory()
        wheel.add(100.0, list)
        fire_all(wheel, 101.0)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept - before > 1_000_000
    assert after - before < 200_000
