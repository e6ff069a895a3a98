"""When a mail host is called up or down: not after a single probe."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
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


@dataclass(frozen=True, slots=True)
class Standing:
    """How one protocol of a mail host stands, all its addresses together."""

    protocol: str
    state: HealthState
    since: datetime
    """Of the state; of what has never answered: since it is asked."""
    is_in_part: bool = False
    """One of its addresses did not answer at last, or not everything was looked at."""
    is_used: bool = True
    """Logins of this protocol may go there."""

    @property
    def tone(self) -> str:
        """Give its colour: what nobody uses is at most a warning, and none if it never answered."""
        if self.state is HealthState.UP:
            return "warning" if self.is_in_part else "success"
        if self.state is HealthState.DOWN:
            return "danger" if self.is_used else "warning"
        return "warning" if self.is_used else ""

    def _text(self, now: datetime) -> str:
        if self.state is HealthState.UP:
            return "up in part" if self.is_in_part else "up"
        if self.state is HealthState.UNKNOWN:
            return "never answered"
        return f"down {shown_since(self.since, now)}"


def summed_up(standings: Iterable[Standing], now: datetime) -> tuple[str, str]:
    """Say how a mail host stands, for instance ``IMAP, POP3 up; SMTP never answered``; and its
    colour, which is that of the worst."""
    known = list(standings)
    names: dict[str, list[str]] = {}
    for one in known:
        names.setdefault(one._text(now), []).append(one.protocol.upper())  # noqa: SLF001  (its own)
    tones = {one.tone for one in known}
    tone = next((each for each in ("danger", "warning", "success") if each in tones), "")
    return "; ".join(f"{', '.join(each)} {text}" for text, each in names.items()), tone


def shown_since(moment: datetime, now: datetime) -> str:
    """Say since when: the time, with the day where that is not today's (UTC)."""
    form = "%H:%M" if moment.date() == now.date() else "%Y-%m-%d %H:%M"
    return f"since {moment.strftime(form)} UTC"
