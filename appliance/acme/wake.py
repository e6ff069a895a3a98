"""Have a worker do the next step now. Only a hint: what is due is found by beat anyway.

Tasks get primary keys, never what they stand for.
"""

import logging
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from celery import current_app
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import KombuError

logger = logging.getLogger(__name__)

SOON: Final = timedelta(minutes=5)
"""What comes later is left to beat: a worker keeps in memory what it is told to do later."""


def order(pk: int) -> None:
    """Have an order led on, once the present transaction is committed."""
    _send_on_commit("advance", pk)


def account(pk: int) -> None:
    """Have an account's next step done, once the present transaction is committed."""
    _send_on_commit("settle_account", pk)


def revocation(pk: int) -> None:
    """Have a revocation sent, once the present transaction is committed."""
    _send_on_commit("revoke", pk)


def publishing() -> None:
    """Have renewed certificates published, once the present transaction is committed."""
    _send_on_commit("publish_renewed")


def again(task: Any, pk: int, at: datetime | None) -> None:
    """Have a task repeated at a time, when that is soon."""
    if at is None:
        return
    wait = max(at - timezone.now(), timedelta())
    if wait <= SOON:
        task.apply_async((pk,), countdown=wait.total_seconds())


def _send_on_commit(name: str, *arguments: int) -> None:
    transaction.on_commit(partial(_send, name, *arguments))


def _send(name: str, *arguments: int) -> None:
    try:
        current_app.send_task(f"appliance.acme.tasks.{name}", arguments)
    except (KombuError, OSError) as fault:
        logger.warning("task=%s not sent, beat will find it: %s", name, fault)
