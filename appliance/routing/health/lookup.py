"""The addresses of a mail host's name, asked of those whom nodes ask."""

import socket
from dataclasses import dataclass
from typing import Final

import dns.exception
import dns.nameserver
import dns.resolver

from proxycore.contract.authhttp import is_ip_address

MOST_ADDRESSES: Final = 8
"""Of one name; nodes try them one after the other."""
TIMEOUT_S: Final = 5.0

_DNS_PORT: Final = 53


@dataclass(frozen=True, slots=True)
class Names:
    """The ``resolver`` of a server block."""

    servers: tuple[str, ...] = ()
    """``address``, ``address:port`` or ``[IPv6 address]:port``; none: as the system looks up."""
    ipv4: bool = True
    ipv6: bool = True


SYSTEM: Final = Names()


def look_up(
    name: str, names: Names = SYSTEM, timeout_s: float = TIMEOUT_S
) -> tuple[list[str], str]:
    """Give the addresses of a name, or why there are none. An address is its own.

    timeout_s: of the name servers; the system's own look-up has its own time.
    """
    if is_ip_address(name.encode()):
        return [name], ""
    found = _ask(name, names, timeout_s) if names.servers else _ask_system(name)
    return list(dict.fromkeys(found[0]))[:MOST_ADDRESSES], found[1]


def _ask_system(name: str) -> tuple[list[str], str]:
    try:
        rows = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return [], f"the name {name} cannot be looked up"
    return [str(row[4][0]) for row in rows], ""


def _ask(name: str, names: Names, timeout_s: float) -> tuple[list[str], str]:
    """Ask the name servers themselves; other sources, such as a hosts file, are not looked at."""
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [
        dns.nameserver.Do53Nameserver(*_place(server)) for server in names.servers
    ]
    resolver.lifetime = timeout_s
    found: list[str] = []
    faults = []
    for kind, wanted in (("A", names.ipv4), ("AAAA", names.ipv6)):
        if not wanted:
            continue
        try:
            answer = resolver.resolve(f"{name.rstrip('.')}.", kind, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return [], f"the name {name} does not exist, says the resolver of the server block"
        except (dns.exception.DNSException, OSError, ValueError):
            faults.append(f"the resolver of the server block does not answer for {name}")
        else:
            found += [row.to_text() for row in answer.rrset or ()]
    if found:
        return found, ""
    return [], faults[0] if faults else f"the name {name} has no address"


def _place(server: str) -> tuple[str, int]:
    if server.startswith("["):
        host, _, port = server[1:].partition("]")
        return host, int(port.removeprefix(":") or _DNS_PORT)
    if server.count(":") != 1:
        return server, _DNS_PORT
    host, _, port = server.partition(":")
    return host, int(port)
