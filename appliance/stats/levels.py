"""The levels numbers are kept on, and where their buckets begin (UTC)."""

from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import models

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Level(models.TextChoices):
    """How long a bucket is."""

    MINUTE = "minute", "Minutes"
    HOUR = "hour", "Hours"
    DAY = "day", "Days"


ORDER: Final = (Level.MINUTE, Level.HOUR, Level.DAY)
LENGTH: Final = {
    Level.MINUTE: timedelta(minutes=1),
    Level.HOUR: timedelta(hours=1),
    Level.DAY: timedelta(days=1),
}
ABOVE: Final = {Level.MINUTE: Level.HOUR, Level.HOUR: Level.DAY}
BELOW: Final = {above: level for level, above in ABOVE.items()}


def floor(level: Level, at: datetime) -> datetime:
    """Give the beginning of the bucket a moment is in."""
    return EPOCH + (at - EPOCH) // LENGTH[level] * LENGTH[level]


def kept(level: Level) -> timedelta:
    """Tell how long the buckets of a level are kept."""
    days = {
        Level.MINUTE: settings.STATS_MINUTES_KEPT_D,
        Level.HOUR: settings.STATS_HOURS_KEPT_D,
        Level.DAY: settings.STATS_DAYS_KEPT_D,
    }
    return timedelta(days=days[level])


def parts_kept(level: Level) -> timedelta:
    """Tell how long all that a bucket is added up from is kept."""
    below = BELOW.get(level)
    return timedelta(hours=settings.STATS_SAMPLES_KEPT_H) if below is None else kept(below)


def latest(level: Level) -> timedelta:
    """Tell how late a number may come that is still added to a bucket of this level.

    A bucket is always added up anew from all its parts, so these must still be there.
    """
    return kept(Level.DAY) if level is Level.DAY else parts_kept(level) / 2


def spread(since: datetime, at: datetime, now: datetime) -> list[tuple[Level, datetime, int]]:
    """Cut an interval at the borders of buckets: level, beginning of the bucket, milliseconds.

    What was not long ago is cut into minutes, what was longer ago into hours or days.
    """
    since = max(since, now - latest(Level.DAY))
    at = max(since, at)
    cuts: list[tuple[Level, datetime, int]] = []
    here = since
    while here < at or not cuts:
        level = next((one for one in ORDER if here >= now - latest(one)), Level.DAY)
        start = floor(level, here)
        end = min(at, start + LENGTH[level])
        if level is not Level.MINUTE:
            end = min(end, max(here, now - latest(BELOW[level])))
        if end <= here < at:
            # a border within a microsecond of here
            end = min(at, here + timedelta(milliseconds=1))
        cuts.append((level, start, (end - here) // timedelta(milliseconds=1)))
        here = end
    return cuts
