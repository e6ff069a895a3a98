"""Read the health of mail hosts: what is to be probed and how, and what is known."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from appliance.routing.health import policy
from appliance.routing.health.models import HostHealth
from appliance.routing.health.probe import Target, Trust
from appliance.routing.models import Account, MailHost, Route, RouteShare
from appliance.servers.models import ServerBlock
from proxycore.contract.protocol import Protocol

_MODES: Final = {"implicit": "on", "starttls": "starttls", "none": "off"}
"""From a server block's proxy_ssl to that of an answer."""

MOST_ROUTES: Final = 50
"""Shown on one page."""


def served() -> dict[Protocol, list[ServerBlock]]:
    """Give the server blocks that are on, by protocol; what nobody serves is not probed."""
    found: dict[Protocol, list[ServerBlock]] = defaultdict(list)
    for block in ServerBlock.objects.filter(enabled=True).order_by("name"):
        found[Protocol(block.protocol)].append(block)
    return found


def targets(
    hosts: Iterable[MailHost], blocks: Mapping[Protocol, list[ServerBlock]]
) -> list[Target]:
    """Give the doors of mail hosts, each with the TLS that nodes would use there."""
    found = []
    for protocol, those in blocks.items():
        trust = _trust(those)
        for host in hosts:
            mode = host.proxy_ssl(protocol) or _MODES[those[0].proxy_ssl]
            name = host.tls_name or those[0].proxy_ssl_name or ""
            found.append(
                Target(host.pk, protocol, host.address, host.port(protocol), mode, name, trust)
            )
    return found


def _trust(blocks: Iterable[ServerBlock]) -> Trust:
    """Give the trust of all server blocks of a protocol together: a login may come by any."""
    authorities = {block.proxy_ssl_trusted_certificate.strip() for block in blocks} - {""}
    verify = all(block.proxy_ssl_verify for block in blocks)
    return Trust(verify, tuple(sorted(authorities)))


def health(host: MailHost) -> list[HostHealth]:
    """Give what probes found of a mail host, by protocol and address."""
    return list(HostHealth.objects.filter(mail_host=host))


def summary() -> dict[int, dict[str, str]]:
    """Give the state of each protocol of all mail hosts, by their primary keys."""
    rows: dict[int, dict[str, list[str]]] = {}
    known = HostHealth.objects.order_by().values_list("mail_host", "protocol", "state")
    for pk, protocol, state in known:
        rows.setdefault(pk, {}).setdefault(protocol, []).append(state)
    return {
        pk: {protocol: policy.together(states) for protocol, states in each.items()}
        for pk, each in rows.items()
    }


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


def has_logins(host: MailHost) -> bool:
    """Tell whether any route or account leads to it."""
    routes = Route.objects.filter(mail_host=host, enabled=True)
    shares = RouteShare.objects.filter(mail_host=host, route__enabled=True)
    return routes.exists() or shares.exists() or Account.objects.filter(mail_host=host).exists()
