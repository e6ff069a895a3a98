"""The certificates' periodic work, done by a Celery worker."""

from celery import shared_task
from django.utils import timezone

from appliance.certs import expiry


@shared_task
def watch_expiry() -> None:
    """Warn of certificates that are about to expire."""
    expiry.look(timezone.now())
