"""ACME's work in the background. Tasks take primary keys, do one step, and are safe to repeat.

``continue_due`` and ``renew_due`` find by themselves whatever was left lying, so nothing depends
on a task that was sent having arrived.
"""

from celery import shared_task
from django.utils import timezone

from appliance.acme import queries, wake
from appliance.acme.models import Account, Order, Revocation
from appliance.acme.services import accounts, orders, publishing, renewals, revocations


@shared_task
def advance(pk: int) -> None:
    """Do the next step of an order."""
    wake.again(advance, pk, orders.advance(pk))


@shared_task
def settle_account(pk: int) -> None:
    """Tell a CA what it does not know of an account."""
    wake.again(settle_account, pk, accounts.settle(pk))


@shared_task
def revoke(pk: int) -> None:
    """Ask a CA to revoke a certificate."""
    wake.again(revoke, pk, revocations.send(pk))


@shared_task
def ask_suggestion(pk: int) -> None:
    """Ask a CA when it would like a certificate to be renewed."""
    renewals.ask(pk)


@shared_task
def publish_renewed() -> None:
    """Publish what was renewed."""
    publishing.publish(timezone.now())


@shared_task
def continue_due() -> None:
    """Go on with everything whose next step is due and that nobody is at."""
    now = timezone.now()
    for model, task in ((Account, settle_account), (Order, advance), (Revocation, revoke)):
        for pk in queries.due(model, now):
            task.delay(pk)


@shared_task
def renew_due() -> None:
    """Order what is due, ask CAs for their wishes, publish what waits for it."""
    renewals.begin_due()
    for pk in queries.to_be_asked(timezone.now()):
        ask_suggestion.delay(pk)
    publish_renewed.delay()
