"""The circuit breaker: closed, open, one probe, closed again."""

from proxycore.policy.breaker import OPENS_AFTER, REST_S, Breaker, in_order


def ill(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(OPENS_AFTER):
        breaker.failed(now)
    return breaker


def test_it_takes_failures_in_a_row_to_open() -> None:
    breaker = Breaker()
    for _ in range(OPENS_AFTER - 1):
        breaker.failed(0.0)
    breaker.succeeded()
    breaker.failed(0.0)
    assert breaker.admits(0.1)


def test_an_open_one_admits_one_probe_after_its_rest() -> None:
    breaker = ill()
    assert not breaker.admits(REST_S - 0.1)
    assert breaker.admits(REST_S)
    assert not breaker.admits(REST_S)
    breaker.failed(REST_S + 1)
    assert not breaker.admits(2 * REST_S + 0.9)
    assert breaker.admits(2 * REST_S + 1)
    breaker.succeeded()
    assert breaker.admits(2 * REST_S + 1)
    assert breaker.admits(2 * REST_S + 1)


def test_a_probe_that_never_comes_back_does_not_close_the_door_for_ever() -> None:
    breaker = ill()
    assert breaker.admits(REST_S)
    assert breaker.admits(2 * REST_S)


def test_healthy_ones_first_in_their_order_then_the_one_that_failed_longest_ago() -> None:
    breakers = [ill(2.0), Breaker(), ill(1.0), Breaker()]
    assert in_order(breakers, 3.0) == [1, 3, 2, 0]


def test_somebody_is_asked_always() -> None:
    assert in_order([ill(2.0), ill(1.0)], 3.0) == [1, 0]
