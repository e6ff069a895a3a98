"""Counts in memory that workers share."""

import mmap
import os

import pytest

from proxycore.policy.login_rates import KEY_BYTES, TABLE_BYTES, LoginRates, Memory


def memory(size: int = TABLE_BYTES) -> bytearray:
    return bytearray(os.urandom(KEY_BYTES)) + bytearray(size - KEY_BYTES)


def test_counts_by_name_until_their_time_is_over() -> None:
    rates = LoginRates(memory())
    assert [rates.count(b"joe", 100 + i, 60) for i in range(3)] == [1, 2, 3]
    assert rates.count(b"ann", 102, 60) == 1
    assert rates.seen(b"joe", 159) == 3
    assert rates.seen(b"joe", 160) == 0
    assert rates.count(b"joe", 160, 60) == 1


def test_the_time_begins_with_the_first_and_no_other_makes_it_longer() -> None:
    rates = LoginRates(memory())
    for now in (0, 30, 59):
        rates.count(b"joe", now, 60)
    assert rates.seen(b"joe", 59.9) == 3
    assert rates.seen(b"joe", 60) == 0


def test_looking_counts_nothing() -> None:
    rates = LoginRates(memory())
    assert rates.seen(b"joe", 1) == 0
    assert rates.count(b"joe", 1, 60) == 1
    assert rates.seen(b"joe", 1) == rates.seen(b"joe", 1) == 1


@pytest.mark.parametrize("shared", [memory(), mmap.mmap(-1, TABLE_BYTES)])
def test_whoever_has_the_memory_has_the_counts(shared: Memory) -> None:
    here, there = LoginRates(shared), LoginRates(shared)
    here.count(b"joe", 5, 60)
    assert there.count(b"joe", 5, 60) == 2
    assert here.seen(b"joe", 5) == 2


def test_others_displace_who_has_hardly_begun_and_not_who_is_near_a_limit() -> None:
    rates = LoginRates(memory(KEY_BYTES + 64))  # one row
    for _ in range(10):
        rates.count(b"attacker", 1, 60)
    for number in range(1000):
        rates.count(b"%d" % number, 2, 60)
    assert rates.seen(b"attacker", 2) == 10


def test_a_row_whose_times_are_over_is_free() -> None:
    rates = LoginRates(memory(KEY_BYTES + 64))
    for name in (b"a", b"b", b"c", b"d"):
        for _ in range(9):
            rates.count(name, 1, 60)
    assert rates.count(b"e", 100, 60) == 1
    assert rates.seen(b"e", 100) == 1


def test_many_fit() -> None:
    rates = LoginRates(memory())
    names = [b"192.0.2.%d" % number for number in range(10_000)]
    for name in names:
        rates.count(name, 1, 60)
    assert sum(rates.seen(name, 1) == 1 for name in names) > 9_900
