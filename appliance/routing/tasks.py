"""Work that a page does not wait for, done by a Celery worker."""

from typing import Final

from celery import shared_task
from django.utils import timezone

from appliance.routing.health import alarms
from appliance.routing.health import services as health
from appliance.routing.transfer import services

_SLICE_S: Final = 5.0
"""Then other tasks have their turn."""


@shared_task
def go_on_importing(job_pk: int) -> None:
    """Check or write a CSV file for a while."""
    if services.go_on(job_pk, _SLICE_S):
        go_on_importing.delay(job_pk)


@shared_task
def resume_imports() -> None:
    """Go on with files whose worker has died."""
    for job_pk in services.standing_still():
        go_on_importing.delay(job_pk)


@shared_task
def probe_mail_hosts() -> None:
    """Ask mail hosts whether they are there."""
    if health.probe_due(timezone.now()):
        probe_mail_hosts.delay()


@shared_task
def watch_logins() -> None:
    """Tell people at which mail hosts logins break, and forget what is not probed any more."""
    now = timezone.now()
    health.forget_unprobed(now)
    alarms.watch_logins(now)
