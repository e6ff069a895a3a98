"""Looking at listeners, by Celery: one bounded task for each node, sent when its time has come."""

from celery import shared_task
from django.utils import timezone

from appliance.proof import services


@shared_task
def look_around() -> None:
    """Send somebody to every node that is due: after a publish, now and then, and once in doubt."""
    services.tidy()
    for node in services.due(timezone.now()):
        look_at.delay(node)


@shared_task
def look_at(node: int) -> None:
    """Look at all listeners of one node."""
    services.look_at(node)
