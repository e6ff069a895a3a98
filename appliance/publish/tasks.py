"""Work of publishing that nobody waits for, done by a Celery worker."""

from celery import shared_task

from appliance.publish import on_save


@shared_task
def publish_due() -> None:
    """Publish what was saved a while ago."""
    on_save.publish_due()
