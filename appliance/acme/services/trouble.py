"""When people are told that a certificate does not come, and that an account does not work."""

from datetime import timedelta
from typing import Final

from django.utils import timezone

from appliance.acme.choices import AccountState, OrderState
from appliance.acme.models import Account, Order
from appliance.acme.problems import Problem
from appliance.acme.services import issued
from appliance.acme.services.kinds import ACCOUNT, FAILING
from appliance.alerts import services as alerts

_PATIENCE: Final = 3
"""Tries of one step before anybody hears of it: most troubles of networks are shorter."""
_CRITICAL: Final = timedelta(days=7)


def look_at(order_id: int) -> None:
    """Raise an alert for an order when its trouble is not a passing one."""
    order = (
        Order.objects.select_related("variant__issuance")
        .defer("private_key")
        .filter(pk=order_id)
        .first()
    )
    if order is None or not order.problem or order.problem.get("kind") == "cancelled":
        return
    lasting = order.state == OrderState.FAILED or order.attempts >= _PATIENCE
    if not lasting or order.state in (OrderState.STORED, OrderState.DONE):
        return
    variant, problem = order.variant, order.problem
    left = None if variant.not_after is None else variant.not_after - timezone.now()
    alerts.raise_alert(
        FAILING,
        issued.about(variant),
        f"{problem.get('words', '')}\n{problem.get('advice', '')}",
        severity="critical" if left is not None and left < _CRITICAL else "warning",
        url=issued.page(variant.issuance),
    )


def account_is_gone(account: Account, problem: Problem) -> None:
    """Note that a CA does not know an account any more."""
    Account.objects.filter(pk=account.pk).update(
        state=AccountState.REFUSED, problem=problem.stored()
    )
    alerts.raise_alert(ACCOUNT, str(account), f"{problem.words}\n{problem.advice}")
