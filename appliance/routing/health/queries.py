"""Read the health of mail hosts: what is to be probed and how, and what is known."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from itertools import chain
from typing import Final

from appliance.lib.vault import Undecryptable
from appliance.routing.choices import HealthState, VerifierKind
from appliance.routing.health import policy
from appliance.routing.health.lookup import Names, look_up
from appliance.routing.health.models import HostHealth
from appliance.routing.health.probe import NO_POLICY, Target
from appliance.routing.models import Account, MailHost, Route, RouteShare, Verifier
from appliance.servers import tls
from appliance.servers.choices import AuthService
from appliance.servers.models import ServerBlock
from proxycore.contract.authhttp import is_ip_address
from proxycore.contract.codec import Invalid, decode
from proxycore.contract.protocol import Protocol
from proxycore.contract.tls import BackTls

_MODES: Final = {"implicit": "on", "starttls": "starttls", "none": "off"}
"""From a server block's proxy_ssl to that of an answer."""

MOST_ROUTES: Final = 50
"""Shown on one page."""


_PATIENCE_S: Final = 2.0
"""Somebody is looking at a page."""

_LOST_KEY: Final = "the key of the server block's own certificate cannot be decrypted"
_UNUSABLE: Final = "the server block's TLS towards mail servers cannot be used"


def served() -> dict[Protocol, list[ServerBlock]]:
    """Give the server blocks whose logins go by our routes, by protocol.

    What none of them speaks is not probed.
    """
    found: dict[Protocol, list[ServerBlock]] = defaultdict(list)
    blocks = ServerBlock.objects.filter(enabled=True, auth_service=AuthService.BUILTIN)
    for block in blocks.order_by("name"):
        found[Protocol(block.protocol)].append(block)
    return found


def targets(
    hosts: Iterable[MailHost], blocks: Mapping[Protocol, list[ServerBlock]]
) -> list[Target]:
    """Give the doors of mail hosts, once for each way in which nodes would go there."""
    hosts = list(hosts)
    found = []
    for protocol, those in blocks.items():
        policies = [_policy(block) for block in those]
        for host in hosts:
            ways: dict[Target, list[str]] = {}
            for block, (settings, problem) in zip(those, policies, strict=True):
                way = _way(host, protocol, block, settings, problem)
                ways.setdefault(way, []).append(block.name)
            found += [
                replace(way, blocks=", ".join(names) if len(ways) > 1 else "")
                for way, names in ways.items()
            ]
    return found


def _names(block: ServerBlock) -> Names:
    return Names(tuple(block.resolver), block.resolver_ipv4, block.resolver_ipv6)


def addresses(
    host: MailHost, blocks: Iterable[ServerBlock] | None = None
) -> list[tuple[list[str], str]]:
    """Look up a mail host given by name as nodes do at a login: addresses, or why there are none.

    blocks: whose logins; None: of all server blocks. One answer for each set of name servers, and
    none for an address. Takes seconds where a name server is silent.
    """
    if is_ip_address(host.address.encode()):
        return []
    if blocks is None:
        blocks = chain.from_iterable(served().values())
    asked = dict.fromkeys(map(_names, blocks))
    return [look_up(host.address, names, _PATIENCE_S) for names in asked]


def _policy(block: ServerBlock) -> tuple[BackTls, str]:
    """Give a block's TLS towards mail servers, or why it cannot be had."""
    try:
        settings = decode(BackTls, tls.back_plain(block, reveal=True))
    except Undecryptable:
        return NO_POLICY, _LOST_KEY
    except Invalid:
        return NO_POLICY, _UNUSABLE
    # a mail host says itself how it is to be spoken to
    return replace(settings, proxy_ssl=NO_POLICY.proxy_ssl), ""


def _way(
    host: MailHost, protocol: Protocol, block: ServerBlock, settings: BackTls, problem: str
) -> Target:
    mode = host.proxy_ssl(protocol) or _MODES[block.proxy_ssl]
    is_clear = mode == "off"
    return Target(
        host.pk,
        protocol,
        host.address,
        host.port(protocol),
        mode,
        name="" if is_clear else host.tls_name or block.proxy_ssl_name,
        policy=NO_POLICY if is_clear else settings,
        proxy_protocol=block.proxy_protocol,
        names=_names(block),
        problem="" if is_clear else problem,
    )


def health(host: MailHost) -> list[HostHealth]:
    """Give what probes found of a mail host, by protocol and address."""
    return list(HostHealth.objects.filter(mail_host=host))


def summary(hosts: Iterable[MailHost]) -> dict[int, list[policy.Standing]]:
    """Give how mail hosts stand, protocol by protocol, by their primary keys."""
    hosts = list(hosts)
    rows: dict[int, list[HostHealth]] = defaultdict(list)
    for row in HostHealth.objects.filter(mail_host__in=hosts).order_by("protocol", "address"):
        rows[row.mail_host_id].append(row)
    uses = used(hosts)
    return {host.pk: standings(rows[host.pk], uses[host.pk]) for host in hosts}


def standings(rows: Iterable[HostHealth], uses: Container[str]) -> list[policy.Standing]:
    """Give how a mail host stands, from what is known of its addresses."""
    by_protocol: dict[str, list[HostHealth]] = defaultdict(list)
    for row in rows:
        by_protocol[row.protocol].append(row)
    return [
        policy.Standing(
            protocol,
            policy.together(row.state for row in each),
            max(row.since for row in each),
            is_in_part=any(row.state != HealthState.UP or row.reason for row in each),
            is_used=protocol in uses,
        )
        for protocol, each in sorted(by_protocol.items())
    ]


def backends(host: MailHost) -> dict[str, tuple[str, str]]:
    """Give the doors of a mail host as nodes name them: ``address:port`` to (protocol, address).

    Of a name, those addresses that probes know.
    """
    found: dict[str, tuple[str, str]] = {}
    known = set(HostHealth.objects.filter(mail_host=host).values_list("address", flat=True))
    for address in sorted(known | {host.address}):
        for protocol in Protocol:
            shown = f"[{address}]" if ":" in address else address
            found.setdefault(f"{shown}:{host.port(protocol)}", (protocol.value, address))
    return found


def routes_to(host: MailHost) -> list[Route]:
    """Give the routes that lead to a mail host, alone or among others, in order."""
    shared = RouteShare.objects.filter(mail_host=host).values("route")
    found = Route.objects.filter(mail_host=host) | Route.objects.filter(pk__in=shared)
    return list(found.order_by("position", "pk")[:MOST_ROUTES])


def used(hosts: Iterable[MailHost]) -> dict[int, frozenset[str]]:
    """Give for which protocols a route, an account or a verifier leads to mail hosts."""
    named: dict[int, set[str]] = {host.pk: set() for host in hosts}
    routes = Route.objects.filter(mail_host__in=named, enabled=True)
    shared = RouteShare.objects.filter(mail_host__in=named, route__enabled=True)
    asked = Verifier.objects.filter(mail_host__in=named, kind=VerifierKind.MAIL_HOST)
    for pk, protocol in (
        *routes.order_by().values_list("mail_host", "protocol").distinct(),
        *shared.order_by().values_list("mail_host", "route__protocol").distinct(),
        *asked.order_by().values_list("mail_host", "protocol").distinct(),
    ):
        named[pk].add(protocol)
    every = frozenset(protocol.value for protocol in Protocol)
    return {
        pk: every
        if "" in protocols or Account.objects.filter(mail_host=pk).exists()
        else frozenset(protocols)
        for pk, protocols in named.items()
    }
