"""Whose address a request came from, as far as it can be believed."""

import ipaddress
from collections.abc import Iterable
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

_FORWARDED: Final = "X-Forwarded-For"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(words: Iterable[str]) -> tuple[Network, ...]:
    """Read addresses and networks. Raises ImproperlyConfigured."""
    try:
        return tuple(ipaddress.ip_network(word) for word in words)
    except ValueError as fault:
        raise ImproperlyConfigured(f"POSTROAD_TRUSTED_PROXIES: {fault}") from None


def address_of(request: HttpRequest) -> str:
    """Give the address a request came from; empty when it came over no network.

    What ``X-Forwarded-For`` says counts only behind a proxy of ``POSTROAD_TRUSTED_PROXIES``.
    """
    return believed(request.META.get("REMOTE_ADDR", ""), request.headers.get(_FORWARDED, ""))


def address_of_scope(scope: Any) -> str:
    """Give the address a WebSocket came from."""
    client = scope.get("client") or ("", 0)
    said = [
        value for name, value in scope.get("headers", ()) if name == _FORWARDED.lower().encode()
    ]
    return believed(client[0], b",".join(said).decode("latin-1"))


def believed(peer: str, forwarded: str) -> str:
    """Follow what trusted proxies say from the nearest to the first that is not trusted."""
    address = _normal(peer)
    for said in reversed(forwarded.split(",")):
        if not is_trusted(address):
            break
        before = _normal(said.strip())
        if not before:
            break
        address = before
    return address


def is_trusted(address: str) -> bool:
    """Tell whether a proxy at this address is believed."""
    if not address:
        return False
    at = ipaddress.ip_address(address)
    return any(at in network for network in settings.TRUSTED_PROXIES)


def _normal(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
