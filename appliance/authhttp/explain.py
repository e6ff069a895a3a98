"""Where would this login go, and why? The decision of the auth service, told step by step.

It asks the same ``routing.decide()`` and composes the same answer as for a real login, without a
password and without writing anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from appliance.authhttp import health_lines, limits, services
from appliance.authhttp.callers import Caller
from appliance.authhttp.lines import BAD, GOOD, HELD, PLAIN, Line
from appliance.credentials import queries as credentials
from appliance.lib import schemes
from appliance.lib.hashing import is_ours
from appliance.routing import queries as routing
from appliance.routing.choices import HostState
from appliance.routing.decide import Decision, DecisionInput, Step, decide
from appliance.routing.health import queries as health
from appliance.routing.models import Account, MailHost
from appliance.servers.choices import AuthService
from appliance.servers.models import Listener
from proxycore.contract.authhttp import (
    AuthOk,
    AuthRequest,
    AuthWait,
    is_ip_address,
    render_reply_headers,
)
from proxycore.contract.protocol import Protocol

MASK: Final = "••••••"
_SECRET_HEADERS: Final = {"Auth-Pass"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A login as somebody imagines it."""

    login: str
    protocol: Protocol
    client_ip: str = ""
    """Empty: from anywhere."""
    listener: Listener | None = None
    is_encrypted: bool = True
    obeys_proxy_auth: bool = True
    """A node asks, or a caller that logs in at SMTP servers."""


@dataclass(slots=True)
class Stage:
    """One step of the way, and what was found there."""

    title: str
    lines: list[Line] = field(default_factory=list)

    @property
    def tone(self) -> str:
        """Give the worst of its lines."""
        tones = {line.tone for line in self.lines}
        return next((one for one in (BAD, HELD, GOOD) if one in tones), PLAIN)


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole way, and where it ends."""

    verdict: str
    tone: str
    stages: list[Stage]
    headers: list[tuple[str, str]]
    host: MailHost | None


def explain(asked: Asked) -> Explanation:
    """Explain one login. Reads only."""
    decision = decide(DecisionInput(asked.protocol, asked.login.encode(), asked.client_ip or None))
    request = AuthRequest(
        protocol=asked.protocol,
        method="plain",
        login=asked.login.encode(),
        password=b"",
        attempt=1,
        client_ip=asked.client_ip,
    )
    verdict = services.foresee(request, decision, Caller(asked.obeys_proxy_auth))
    stages = [
        Stage("Connection", list(_connection(asked))),
        Stage("Limits", list(limits.lines(asked.listener, asked.client_ip))),
        Stage("Account", list(_account(decision))),
        Stage("Route", list(_routes(decision))),
        Stage("Password", list(_password(decision, asked.protocol, verdict))),
        Stage("Mail server", list(_mail_server(decision, asked))),
        Stage("Remembered", list(_memory(verdict, decision))),
    ]
    text, tone = _summary(decision, verdict, asked.protocol)
    headers = [
        (name, MASK if name in _SECRET_HEADERS else value.decode("utf-8", "replace"))
        for name, value in render_reply_headers(verdict)
    ]
    return Explanation(text, tone, [one for one in stages if one.lines], headers, decision.host)


def place_of(host: MailHost, protocol: Protocol) -> str:
    """Give address and port."""
    address = f"[{host.address}]" if ":" in host.address else host.address
    return f"{address}:{host.port(protocol)}"


def _summary(decision: Decision, verdict: services.Verdict, protocol: Protocol) -> tuple[str, str]:
    if decision.host is None:
        return "Is refused, whatever the password", BAD
    if decision.hold is not None:
        wait = isinstance(verdict, AuthWait)
        return ("Is kept waiting" if wait else "Is asked to try again later"), HELD
    if not isinstance(verdict, AuthOk):
        return "Is refused: nobody would look at the password", BAD
    return f"Goes to {decision.host}, {place_of(decision.host, protocol)}", GOOD


# --- stages ---------------------------------------------------------------------------------------


def _connection(asked: Asked) -> Iterator[Line]:
    yield Line(
        f"{asked.protocol.value.upper()} from {asked.client_ip or 'any address'},"
        f" {'with TLS' if asked.is_encrypted else 'in clear'}"
    )
    if asked.listener is None:
        yield Line("Any listener", why="name one to have its server block looked at")
        return
    block = asked.listener.block
    link = reverse("admin:servers_serverblock_change", args=[block.pk])
    yield Line(f"Listener {asked.listener} of server block {block.name}", link=link)
    if not block.enabled:
        yield Line("The server block is off", HELD, "nothing listens there", link)
    if not asked.is_encrypted and asked.listener.ssl:
        yield Line("In clear there is no session", BAD, "this listener speaks TLS at once", link)
    elif not asked.is_encrypted and block.starttls == "only":
        yield Line("In clear no login is taken", BAD, "starttls only: TLS comes first", link)
    if block.auth_service == AuthService.EXTERNAL:
        why = "what follows is what Postroad would say"
        yield Line(f"Asks another auth service, {block.auth_http}", HELD, why, link)


def _account(decision: Decision) -> Iterator[Line]:
    account = decision.account
    link = reverse("admin:routing_account_change", args=[account.pk]) if account else ""
    for step in decision.steps:
        if step.route is None and not step.rule.startswith("mail host "):
            why = step.note or ("" if step.fits else "no")
            yield Line(_sentence(step.rule), _tone(step, bad=BAD), why, link)
    if account is None:
        yield Line("There is no account", why="only routes decide, and the mail server verifies")


def _routes(decision: Decision) -> Iterator[Line]:
    for step in decision.steps:
        if step.rule.startswith("mail host "):
            yield Line(_sentence(step.rule), _tone(step), step.note)
        elif step.route is not None:
            link = reverse("admin:routing_route_change", args=[step.route.pk])
            why = step.note or ("" if step.fits else "does not fit")
            yield Line(_sentence(step.rule), _tone(step), why, link)
    if decision.route is None:
        if decision.host is not None:
            yield Line("Routes are not looked at", why="the account has a fixed mail host")
        elif all(step.fits or step.route is not None for step in decision.steps):
            why = "a route for everybody else would take it"
            yield Line("No route fits", BAD, why, reverse("admin:routing_route_changelist"))


def _password(decision: Decision, protocol: Protocol, verdict: services.Verdict) -> Iterator[Line]:
    account = decision.account
    if decision.is_refused:
        yield Line("Refused in the words and the time of a wrong password")
        return
    if account is None or not (account.verifier_id or account.password_hash):
        is_told = isinstance(verdict, AuthOk) or protocol is not Protocol.SMTP
        how = " (Auth-Proxy-Auth: on)" if protocol is Protocol.SMTP and is_told else ""
        yield Line(f"Verified by the mail server{how}")
    elif account.verifier_id:
        verifier = credentials.verifier_of(account)
        link = reverse("admin:routing_verifier_change", args=[verifier.pk])
        yield Line(f"Verified by {verifier}", link=link)
    else:
        yield Line(f"Verified here, by a stored hash: {_scheme(account)}")
    if account is not None:
        yield from _more_passwords(account)


def _more_passwords(account: Account) -> Iterator[Line]:
    count = credentials.count_app_passwords(account)
    if count:
        yield Line(f"Or one of {count} app passwords" if count > 1 else "Or its app password")
    if credentials.has_recoverable_secret(account):
        yield Line("APOP and CRAM-MD5 work", why="its password is kept readable")


def _scheme(account: Account) -> str:
    return "argon2id" if is_ours(account.password_hash) else schemes.split(account.password_hash)[0]


def _mail_server(decision: Decision, asked: Asked) -> Iterator[Line]:
    host = decision.host
    if host is None:
        return
    link = reverse("admin:routing_mailhost_change", args=[host.pk])
    state = HostState(host.state)
    tone = GOOD if state is HostState.UP else HELD
    why = "" if state is HostState.UP else host.get_hold_display()
    yield Line(f"{host}, {place_of(host, asked.protocol)}, is {state.value}", tone, why, link)
    yield from health_lines.lines(host, asked.protocol)
    if decision.hold is not None:
        yield Line("The login is held", HELD, decision.held_because)
    yield from _addresses(host, asked, link)
    if not asked.obeys_proxy_auth and not is_ip_address(host.address.encode()):
        yield Line("nginx takes no host names", BAD, "give the mail host's address", link)
    yield _tls(host, asked.protocol, link)
    if decision.back_login is not None:
        told = decision.back_login.decode("utf-8", "replace")
        yield Line(f"Is told the login {told}")


def _addresses(host: MailHost, asked: Asked, link: str) -> Iterator[Line]:
    """Tell what its name is now to nodes that look it up."""
    if asked.listener is not None:
        blocks = [asked.listener.block]
    else:
        blocks = health.served().get(asked.protocol, [])
    for found, problem in health.addresses(host, blocks):
        if found:
            yield Line(f"{host.address} is {', '.join(found)}", GOOD, link=link)
        else:
            why = "the login is asked to try again later"
            yield Line(_sentence(problem), BAD, why, link)


def _tls(host: MailHost, protocol: Protocol, link: str) -> Line:
    mode = host.proxy_ssl(protocol)
    if mode is None:
        return Line("TLS as the server block says (proxy_ssl)", link=link)
    if mode == "off":
        is_near = host.is_on_this_machine
        return Line("In clear", PLAIN if is_near else HELD, "the password is not protected", link)
    how = "STARTTLS" if mode == "starttls" else "TLS"
    return Line(f"{how}; it has to prove to be {host.tls_name or host.address}", link=link)


def _memory(verdict: services.Verdict, decision: Decision) -> Iterator[Line]:
    if isinstance(verdict, AuthOk):
        seconds = verdict.cache_ttl_s
        if seconds is None:
            seconds = settings.AUTH_CACHE_TTL_MS // 1000
        yield Line(
            f"Nodes may use the answer again for {seconds} s",
            why="for the same password from the same address",
        )
    else:
        yield Line("Nodes ask again at the next login")
    if decision.changes_at is not None:
        yield Line(f"Changes by itself at {_said(decision.changes_at)}", why="a route has a time")
    yield Line(
        f"Generation {routing.generation()} of routing",
        why="each change of it has nodes ask again",
    )


def _said(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M %Z}"


def _tone(step: Step, bad: str = PLAIN) -> str:
    return GOOD if step.fits else bad


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
