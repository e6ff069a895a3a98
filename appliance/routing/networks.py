"""Lists of networks: what an account, or one of its app passwords, may be used from."""

import ipaddress
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def normalise(text: str) -> str:
    """Give a list of networks as it is stored. Raises ValueError naming what is none."""
    words = text.replace(",", " ").split()
    for word in words:
        try:
            ipaddress.ip_network(word, strict=False)
        except ValueError:
            raise ValueError(
                f"{word} is no network; give for instance 192.0.2.0/24 or 2001:db8::/32."
            ) from None
    return " ".join(dict.fromkeys(str(ipaddress.ip_network(one, strict=False)) for one in words))


def contains(networks: str, address: str) -> bool:
    """Tell whether an address is in one of the networks; without any, every address is.

    What is no address (``unix:``, nonsense of a proxy) is in none.
    """
    if not networks:
        return True
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in _parse(networks))


@lru_cache(maxsize=1024)
def _parse(networks: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(word) for word in networks.split())
