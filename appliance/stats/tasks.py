"""The statistics' periodic work, run by a Celery worker."""

from celery import shared_task
from django.utils import timezone

from appliance.stats import alarms, rolling


@shared_task
def roll_up() -> None:
    """Add up what the nodes have told since the last time."""
    rolling.roll_up(timezone.now())


@shared_task
def prune() -> None:
    """Forget what is older than the settings say."""
    rolling.prune(timezone.now())


@shared_task
def watch_failures() -> None:
    """Tell people when logins begin to fail."""
    alarms.watch_failures(timezone.now())
