"""Work of the alerts, done by a Celery worker."""

from celery import shared_task
from django.utils import timezone

from appliance.alerts import sending, services


@shared_task
def deliver(pk: int) -> None:
    """Attempt one delivery."""
    sending.attempt(pk)


@shared_task
def look() -> None:
    """Clear what nobody is left to clear, remind, and send what is due."""
    services.clear_orphans()
    services.look(timezone.now())


@shared_task
def tidy() -> None:
    """Forget what has long been over."""
    services.tidy(timezone.now())
