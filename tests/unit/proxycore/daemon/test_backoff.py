"""Waits grow, are spread, and stay below the cap."""

import random

from proxycore.daemon.backoff import CAP_S, Backoff


def test_waits_grow_to_the_cap_and_not_beyond() -> None:
    backoff = Backoff(random.Random(1))
    waits = [backoff.next_s() for _ in range(50)]
    assert waits[0] <= 0.2
    assert max(waits) <= CAP_S
    assert min(waits[10:]) >= CAP_S / 2


def test_waits_of_two_nodes_differ() -> None:
    assert Backoff(random.Random(1)).next_s() != Backoff(random.Random(2)).next_s()


def test_success_begins_anew() -> None:
    backoff = Backoff(random.Random(1))
    for _ in range(10):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() <= 0.2


def test_a_refusal_waits_long_at_once() -> None:
    assert CAP_S * 0.8 <= Backoff(random.Random(1)).refused_s() <= CAP_S
