"""Periodic work of the audit trail, run by a Celery worker."""

from celery import shared_task
from django.utils import timezone

from appliance.audit import services


@shared_task
def forget() -> None:
    """Forget what is older than the retention."""
    services.forget(timezone.now())
