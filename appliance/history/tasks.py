"""The history's periodic work, run by a Celery worker."""

from celery import shared_task
from django.utils import timezone

from appliance.history import services


@shared_task
def tidy() -> None:
    """Forget old records, and take back alerts that are over."""
    now = timezone.now()
    services.calm(now)
    services.prune(now)
