"""What may follow what in an order's life, and when it is tried again."""

from datetime import UTC, datetime, timedelta

import pytest

from appliance.acme import flow
from appliance.acme.choices import ENDED, TIDYING, OrderState
from appliance.acme.steps import STEPS

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_every_state_has_a_step_or_is_an_end() -> None:
    assert {*STEPS, *TIDYING, *ENDED} == set(OrderState)


@pytest.mark.parametrize("state", OrderState)
def test_every_state_but_the_ends_leads_on_and_to_failure(state: OrderState) -> None:
    if state in ENDED:
        assert not flow.MOVES[state]
        return
    assert flow.MOVES[state]
    if state != OrderState.STORED:
        assert flow.failed(state) in flow.MOVES[state]
    assert flow.may_follow(state, state)


def test_what_was_stored_cannot_fail_any_more() -> None:
    assert not flow.may_follow(OrderState.STORED, OrderState.FAILING)


def test_a_step_is_tried_again_later_and_later_up_to_an_hour() -> None:
    waits = [flow.retry_at(attempts, NOW, 0) - NOW for attempts in (1, 2, 3, 12, 500)]
    assert [wait.total_seconds() for wait in waits] == [10, 20, 40, 3600, 3600]
    assert flow.retry_at(1, NOW, 1) - NOW == timedelta(seconds=12.5)


def test_an_order_is_followed_by_another_up_to_a_day_later() -> None:
    waits = [flow.reorder_at(failures, NOW, 0) - NOW for failures in (1, 2, 60)]
    assert waits == [timedelta(minutes=10), timedelta(minutes=20), timedelta(days=1)]


def test_an_order_has_no_future_when_the_ca_closes_it_or_after_a_week() -> None:
    soon, long_ago = NOW + timedelta(seconds=1), NOW - timedelta(days=7)
    assert not flow.is_stale(soon, NOW, NOW)
    assert flow.is_stale(NOW, NOW, NOW)
    assert not flow.is_stale(None, NOW, NOW)
    assert flow.is_stale(None, long_ago, NOW)
