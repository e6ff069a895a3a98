"""Who is believed about a client's address (set_real_ip_from)."""

import ipaddress
from collections.abc import Iterable
from typing import Final

UNIX: Final = "unix:"

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class TrustedPeers:
    """Peers whose PROXY header replaces the client's address. Empty: nobody."""

    __slots__ = ("_networks", "_unix")

    def __init__(self, sources: Iterable[str]) -> None:
        """sources: IP addresses, networks, ``unix:``; names have been resolved before."""
        listed = tuple(sources)
        self._unix = UNIX in listed
        self._networks: tuple[_Network, ...] = tuple(
            ipaddress.ip_network(source, strict=False) for source in listed if source != UNIX
        )

    def __contains__(self, peer: str) -> bool:
        if peer == UNIX:
            return self._unix
        address = ipaddress.ip_address(peer)
        mapped = getattr(address, "ipv4_mapped", None)
        return any(
            address in network or (mapped is not None and mapped in network)
            for network in self._networks
        )


def real_address(claimed: str, port: int) -> tuple[str, int] | None:
    """Give the address a trusted header claims; None when it is none (nginx ignores it, too)."""
    try:
        address = ipaddress.ip_address(claimed)
    except ValueError:
        return None
    return str(address), port
