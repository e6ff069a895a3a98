"""The fleet's periodic work, run by a Celery worker."""

from celery import shared_task
from django.utils import timezone

from appliance.fleet import alarms, queries
from appliance.fleet.services import commands, disconnects, enrolment, sessions, tickets


@shared_task
def tidy() -> None:
    """Give up commands nobody answered and forget the sessions of nodes that are long silent."""
    now = timezone.now()
    commands.expire(now)
    disconnects.tidy(now)
    enrolment.forget(now)
    sessions.drop_sessions_of(queries.long_silent(now))


@shared_task
def watch_nodes() -> None:
    """Tell people which nodes are silent or behind."""
    alarms.watch_nodes(timezone.now())


@shared_task
def rotate_tickets() -> None:
    """Give all nodes another session ticket key, when it is time."""
    tickets.rotate_if_due(timezone.now())
