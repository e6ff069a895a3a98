"""Who goes where, and why. The one place that decides it; the auth service and the admin ask here.

Order: the account's fixed mail host, then the routes by position. The first one that fits decides;
there is no second choice, since a user of one mail host must never be sent to another one.
"""

from dataclasses import dataclass

from appliance.routing import networks, queries
from appliance.routing.models import Account, MailHost, Route
from appliance.routing.rules import Login, explain, matches
from proxycore.contract.protocol import Protocol


@dataclass(frozen=True, slots=True)
class DecisionInput:
    """What a decision is made on."""

    protocol: Protocol
    login: bytes
    """Decoded: the percent-escapes of auth_http are already undone."""
    client_ip: str | None = None
    """None: not known, so an account's networks are not looked at (the admin asks so)."""
    is_recipient: bool = False
    """Mail is to be delivered to the login, which does not have to be allowed to send any."""


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
    route: Route | None = None
    """The route that decided, if one did."""

    @property
    def is_refused(self) -> bool:
        """Tell whether the login is refused without regard to its password."""
        return self.host is None


def decide(asked: DecisionInput) -> Decision:
    """Decide where a login goes, in two queries whatever the number of accounts and routes."""
    login = Login.read(asked.login)
    steps: list[Step] = []
    account = queries.find_account(login)
    if account is not None:
        if not _admits(account, asked, steps):
            return Decision(None, account, tuple(steps))
        if account.mail_host is not None:
            steps.append(Step(f"account {account.login} has a fixed mail host", True))
            return Decision(account.mail_host, account, tuple(steps))
    for route in queries.candidates(login, asked.protocol):
        fits = matches(route.match, route.value, login)
        steps.append(Step(f"route {route.position}, {explain(route.match, route.value)}", fits))
        if fits:
            return Decision(route.mail_host, account, tuple(steps), route)
    return Decision(None, account, tuple(steps))


def _admits(account: Account, asked: DecisionInput, steps: list[Step]) -> bool:
    """Look at the account's own switches; each is a step."""
    steps.append(Step(f"account {account.login} is enabled", account.enabled))
    protocol = asked.protocol
    if not asked.is_recipient and not account.speaks(protocol):
        steps.append(Step(f"account {account.login} may use {protocol.value.upper()}", False))
    if account.networks and asked.client_ip is not None:
        is_inside = networks.contains(account.networks, asked.client_ip)
        steps.append(Step(f"the client is in {account.networks}", is_inside))
    return all(step.fits for step in steps)
