"""Work that a page does not wait for, done by a Celery worker."""

from typing import Final

from celery import shared_task

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
