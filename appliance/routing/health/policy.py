"""When a mail host is called up or down: not after a single probe."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from appliance.routing.choices import HealthState

DOWN_AFTER: Final = 3
"""Bad probes in a row: with one every 15 s, 30 to 45 s."""
UP_AFTER: Final = 2
"""Good probes in a row, of one that was down."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known after a probe."""

    state: HealthState
    is_good: bool
    in_a_row: int


def after(known: Reading | None, is_good: bool) -> Reading:
    """Give what is known after one more probe.

    What has never answered is not called down: nobody knows that it should (a mail host without
    POP3), and nobody is told.
    """
    if known is None:
        return Reading(HealthState.UP if is_good else HealthState.UNKNOWN, is_good, 1)
    in_a_row = known.in_a_row + 1 if known.is_good == is_good else 1
    state = known.state
    if is_good and (state is HealthState.UNKNOWN or in_a_row >= UP_AFTER):
        state = HealthState.UP
    elif not is_good and state is HealthState.UP and in_a_row >= DOWN_AFTER:
        state = HealthState.DOWN
    return Reading(state, is_good, in_a_row)


def together(states: Iterable[str]) -> HealthState:
    """Give the state of several addresses: nodes try one after the other, so one is enough."""
    found = set(states)
    if HealthState.UP in found:
        return HealthState.UP
    return HealthState.DOWN if HealthState.DOWN in found else HealthState.UNKNOWN
