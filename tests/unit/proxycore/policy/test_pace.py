"""The pace: everybody has some at once, then a steady rate, and nobody waits for anybody else."""

import pytest

from proxycore.policy.pace import Pace


def test_some_are_let_through_at_once_and_then_one_at_a_time() -> None:
    pace = Pace(10, 3)
    waits = [pace.wait_s("a", 100.0) for _ in range(6)]
    assert waits == pytest.approx([0, 0, 0, 0.1, 0.2, 0.3])


def test_nobody_waits_for_anybody_else() -> None:
    pace = Pace(10, 1)
    for _ in range(100):
        pace.wait_s("a", 100.0)
    assert pace.wait_s("b", 100.0) == 0


def test_who_keeps_to_the_rate_never_waits() -> None:
    pace = Pace(10, 1)
    assert all(pace.wait_s("a", 100 + i / 9.9) == 0 for i in range(100))


def test_rest_brings_back_what_is_let_through_at_once_and_no_more() -> None:
    pace = Pace(10, 3)
    for _ in range(3):
        pace.wait_s("a", 100.0)
    assert [pace.wait_s("a", 200.0) for _ in range(4)] == pytest.approx([0, 0, 0, 0.1])


def test_clients_that_rest_are_forgotten() -> None:
    pace = Pace(10, 3)
    for i in range(100_000):
        pace.wait_s(str(i), i / 1000)
    assert len(pace) < 3_000


def test_who_waits_is_not_forgotten_for_others() -> None:
    pace = Pace(10, 1)
    for _ in range(100_000):
        pace.wait_s("a", 100.0)
    for i in range(10_000):
        pace.wait_s(str(i), 200.0)
    assert pace.wait_s("a", 200.0) > 9_000
