"""When a mail host is called up or down."""

from datetime import UTC, datetime, timedelta

import pytest

from appliance.routing.choices import HealthState
from appliance.routing.health.policy import Reading, Standing, after, summed_up, together


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


NOW = datetime(2026, 5, 6, 7, 8, tzinfo=UTC)
_UP, _DOWN, _UNKNOWN = HealthState.UP, HealthState.DOWN, HealthState.UNKNOWN
_SILENT = "IMAP up; SMTP never answered"
_GONE = "IMAP up; SMTP down since 06:08 UTC"


@pytest.mark.parametrize(
    ("standings", "said"),
    [
        ([("imap", _UP), ("pop3", _UP)], ("IMAP, POP3 up", "success")),
        ([("imap", _UP), ("smtp", _UNKNOWN)], (_SILENT, "warning")),
        ([("imap", _UP), ("smtp", _DOWN)], (_GONE, "danger")),
        # no login is led there
        ([("imap", _UP), ("smtp", _UNKNOWN, False, False)], (_SILENT, "success")),
        ([("imap", _UP), ("smtp", _DOWN, False, False)], (_GONE, "warning")),
        ([("imap", _UP, True)], ("IMAP up in part", "warning")),
    ],
)
def test_no_protocol_is_hidden_by_another(
    standings: list[tuple[str, HealthState, bool, bool]], said: tuple[str, str]
) -> None:
    since = NOW - timedelta(hours=1)
    rows = [Standing(one[0], one[1], since, *one[2:]) for one in standings]
    assert summed_up(rows, NOW) == said
