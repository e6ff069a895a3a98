"""Who goes where, and why. The one place that decides it; the auth service and the admin ask here.

Order: the account's fixed mail host, then the routes by position. The first one that fits decides.
There is no second choice: a user of one mail host must never be sent to another because the first
is not available, so such a login is held (ADR-0023). Only a route that names several mail hosts
spreads its logins over them.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from django.utils import timezone

from appliance.routing import networks, queries, spread
from appliance.routing.choices import HostState, RouteAction
from appliance.routing.models import Account, MailHost, Route
from appliance.routing.rules import Login, explain, matches, rewrite
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
    now: datetime | None = None
    """When, for routes with a time; None: now."""


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that was tried."""

    rule: str
    fits: bool
    note: str = ""
    """More than whether it fits."""
    route: Route | None = None

    def __str__(self) -> str:
        return f"{self.rule}: {'fits' if self.fits else 'does not fit'}{self._more}"

    @property
    def _more(self) -> str:
        return f" ({self.note})" if self.note else ""


class Hold(Enum):
    """How a login is held back that would otherwise be let in."""

    LATER = "later"
    """The client is told to try again later."""
    WAIT = "wait"
    """The client is kept waiting, and the login decided anew in a moment."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a login goes. ``host`` None: nowhere, it is refused."""

    host: MailHost | None
    account: Account | None
    steps: tuple[Step, ...]
    """What was tried, in order. Users and domains that do not fit are left out."""
    route: Route | None = None
    """The route that decided, if one did."""
    back_login: bytes | None = None
    """What the mail server is told as the login; None: what the client sent."""
    hold: Hold | None = None
    """The login is not let in now, though it is not wrong."""
    held_because: str = ""
    changes_at: datetime | None = None
    """When a route that was looked at begins or ends, the soonest: nobody may remember the decision
    for longer."""

    @property
    def is_refused(self) -> bool:
        """Tell whether the login is refused without regard to its password."""
        return self.host is None


@dataclass(slots=True)
class _Trace:
    """What was found so far."""

    asked: DecisionInput
    steps: list[Step] = field(default_factory=list)
    changes_at: datetime | None = None
    account: Account | None = None

    def note(self, rule: str, fits: bool, note: str = "", route: Route | None = None) -> None:
        self.steps.append(Step(rule, fits, note, route))

    def refused(self) -> Decision:
        return Decision(None, self.account, tuple(self.steps), changes_at=self.changes_at)

    def found(self, login: Login, host: MailHost, route: Route | None = None) -> Decision:
        hold, because = _held(host, route)
        return Decision(
            host,
            self.account,
            tuple(self.steps),
            route,
            _back_login(self.asked.login, login, self.account, route),
            hold,
            because,
            self.changes_at,
        )


def decide(asked: DecisionInput) -> Decision:
    """Decide where a login goes, in two queries whatever the number of accounts and routes.

    One more for a route that names several mail hosts.
    """
    trace = _Trace(asked)
    sent = Login.read(asked.login)
    login, account = queries.find_account(sent)
    trace.account = account
    if login is not sent:
        trace.note(f"{sent.domain} is an alias of {login.domain}", True)
    if account is not None:
        if not _admits(account, trace):
            return trace.refused()
        if account.mail_host is not None:
            trace.note(f"account {account.login} has a fixed mail host", True)
            return trace.found(login, account.mail_host)
    for route in queries.candidates(login, asked.protocol):
        fits, note = _fits(route, login, trace)
        rule = f"route {route.position}, {explain(route.match, route.value)}"
        trace.note(rule, fits, note, route)
        if fits:
            return trace.found(login, _host_of(route, login, trace), route)
    return trace.refused()


def _admits(account: Account, trace: _Trace) -> bool:
    """Look at the account's own switches; each is a step."""
    asked = trace.asked
    before = len(trace.steps)
    trace.note(f"account {account.login} is enabled", account.enabled)
    if not asked.is_recipient and not account.speaks(asked.protocol):
        trace.note(f"account {account.login} may use {asked.protocol.value.upper()}", False)
    if account.networks and asked.client_ip is not None:
        is_inside = networks.contains(account.networks, asked.client_ip)
        trace.note(f"the client is in {account.networks}", is_inside)
    return all(step.fits for step in trace.steps[before:])


def _fits(route: Route, login: Login, trace: _Trace) -> tuple[bool, str]:
    """Tell whether a route fits now, and what it is that its value does not say."""
    if not matches(route.match, route.value, login):
        return False, ""
    if route.percent < 100 and login.hundredth >= route.percent:
        return False, f"not one of the {route.percent} %"
    note = f"one of the {route.percent} %" if route.percent < 100 else ""
    if route.starts_at is None and route.ends_at is None:
        return True, note
    now = trace.asked.now or timezone.now()
    for moment in (route.starts_at, route.ends_at):
        if moment is not None and moment > now:
            trace.changes_at = min(moment, trace.changes_at or moment)
    if route.starts_at is not None and now < route.starts_at:
        return False, f"not before {_said(route.starts_at)}"
    if route.ends_at is not None and now >= route.ends_at:
        return False, f"ended {_said(route.ends_at)}"
    return True, f"until {_said(route.ends_at)}" if route.ends_at is not None else note


def _said(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M %Z}"


def _host_of(route: Route, login: Login, trace: _Trace) -> MailHost:
    """Choose among the mail hosts of a route that names several.

    One that an operator set down keeps its own. One that probes found down gives them to others,
    if its switch says so and there are any (ADR-0034).
    """
    host = route.mail_host
    if not route.is_spread:
        return host
    pool = [host, *queries.shares(route.pk)]
    open_ones = [one for one in pool if one.state != HostState.DRAINING]
    key, protocol = login.user.encode() or login.raw, trace.asked.protocol
    chosen = spread.choose(key, open_ones) or host
    if chosen.is_avoided(protocol):
        well = [one for one in open_ones if one.state == HostState.UP]
        well = [one for one in well if not one.is_avoided(protocol)]
        chosen = spread.choose(key, well) or chosen
    for one in pool:
        note = "chosen by hash and weight" if one is chosen else ""
        label = HostState(one.state).value
        if one.is_avoided(protocol):
            label = f"{label}, found down"
        trace.note(f"mail host {one}, weight {one.weight}, {label}", one is chosen, note)
    return chosen


def _held(host: MailHost, route: Route | None) -> tuple[Hold | None, str]:
    """Tell whether the login has to wait, and why."""
    if route is not None and route.action != RouteAction.SEND:
        return Hold(route.action), f"route {route.position} holds logins"
    if host.state != HostState.UP:
        return Hold(host.hold), f"mail host {host} is {HostState(host.state).value}"
    return None, ""


def _back_login(
    sent: bytes, login: Login, account: Account | None, route: Route | None
) -> bytes | None:
    """Give the login for the mail server, where it is another one."""
    if account is not None and account.back_login:
        wanted = account.back_login.encode()
    elif route is not None and route.rewrite:
        wanted = rewrite(route.rewrite, route.rewrite_to, login.raw)
    else:
        wanted = login.raw
    return None if wanted == sent else wanted
