"""Work that a page does not wait for, done by a Celery worker."""

from celery import shared_task

from appliance.routing.transfer import services


@shared_task
def write_import(job_pk: int) -> None:
    """Write a confirmed CSV file."""
    services.write(job_pk)
