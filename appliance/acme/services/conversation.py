"""How a conversation with a CA begins, and how what goes wrong in it is told."""

import logging
from datetime import datetime

from appliance.acme import problems
from appliance.acme.ca import Ca, Conflict, Failure
from appliance.acme.models import Account
from appliance.acme.problems import Problem
from appliance.lib.vault import Undecryptable

logger = logging.getLogger(__name__)


def open_with(account: Account, now: datetime) -> Ca:
    """Begin to speak to a CA as an account. Raises Undecryptable."""
    return Ca(
        account.directory_url, account.private_key, account.url, bundle=account.ca_bundle, now=now
    )


def problem_of(error: Exception, what: str) -> tuple[Problem, datetime | None]:
    """Say what an exception means, and when the CA wants to be asked again.

    Our bugs are logged with their traceback, and what they stopped is tried again.
    """
    if isinstance(error, Failure):
        return error.problem, error.at
    if isinstance(error, Undecryptable):
        return problems.ours("vault", str(error)), None
    if isinstance(error, Conflict):
        return problems.ours("notAcme", "HTTP 409 Conflict"), None
    logger.error("our bug in %s", what, exc_info=error)
    return problems.ours("bug", f"{type(error).__name__} in Postroad"), None
