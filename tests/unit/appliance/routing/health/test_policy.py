"""When a mail host is called up or down."""

import pytest

from appliance.routing.choices import HealthState
from appliance.routing.health.policy import Reading, after, together


def _told(probes: str) -> str:
    """Give the state after each probe (``+`` good, ``-`` bad) by its first letter."""
    known: Reading | None = None
    letters = ""
    for probe in probes:
        known = after(known, probe == "+")
        letters += {"unknown": "?", "up": "u", "down": "d"}[known.state]
    return letters


@pytest.mark.parametrize(
    ("probes", "states"),
    [
        ("+", "u"),
        ("+--", "uuu"),
        ("+---", "uuud"),
        ("+--+--", "uuuuuu"),
        ("+---+", "uuudd"),
        ("+---++", "uuuddu"),
        ("+---+-++", "uuuddddu"),
        # what has never answered is not called down
        ("------", "??????"),
        ("---+", "???u"),
    ],
)
def test_a_state_follows_from_some_probes_in_a_row(probes: str, states: str) -> None:
    assert _told(probes) == states


def test_one_address_that_answers_is_enough() -> None:
    up, down, unknown = HealthState.UP, HealthState.DOWN, HealthState.UNKNOWN
    assert together([down, up]) is up
    assert together([down, unknown]) is down
    assert together([unknown]) is unknown
    assert together([]) is unknown
