"""Who goes where, and why. The one place that decides it; the auth service and the admin ask here.

Order: the account's fixed mail host, then the routes by position. The first one that fits decides;
there is no second choice, since a user of one mail host must never be sent to another one.
"""

from dataclasses import dataclass

from appliance.routing import queries
from appliance.routing.models import Account, MailHost
from appliance.routing.rules import Login, explain, matches
from proxycore.contract.protocol import Protocol


@dataclass(frozen=True, slots=True)
class DecisionInput:
    """What a decision is made on."""

    protocol: Protocol
    login: bytes
    """Decoded: the percent-escapes of auth_http are already undone."""


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that was tried."""

    rule: str
    fits: bool

    def __str__(self) -> str:
        return f"{self.rule}: {'fits' if self.fits else 'does not fit'}"


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a login goes. ``host`` None: nowhere, it is refused."""

    host: MailHost | None
    account: Account | None
    steps: tuple[Step, ...]
    """What was tried, in order. Users and domains that do not fit are left out."""

    @property
    def is_refused(self) -> bool:
        """Tell whether the login is refused without regard to its password."""
        return self.host is None or (self.account is not None and not self.account.enabled)


def decide(asked: DecisionInput) -> Decision:
    """Decide where a login goes, in two queries whatever the number of accounts and routes."""
    login = Login.read(asked.login)
    steps: list[Step] = []
    account = queries.find_account(login)
    routes = queries.candidates(login, asked.protocol)
    if account is not None:
        steps.append(Step(f"account {account.login} is enabled", account.enabled))
        if not account.enabled:
            return Decision(None, account, tuple(steps))
        if account.mail_host is not None:
            steps.append(Step(f"account {account.login} has a fixed mail host", True))
            return Decision(account.mail_host, account, tuple(steps))
    for route in routes:
        fits = matches(route.match, route.value, login)
        steps.append(Step(f"route {route.position}, {explain(route.match, route.value)}", fits))
        if fits:
            return Decision(route.mail_host, account, tuple(steps))
    return Decision(None, account, tuple(steps))
