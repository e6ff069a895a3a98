"""Host names in the configuration: resolved when a snapshot is applied, as nginx does at its start.

A name that does not resolve then (the machine boots before its name server) is tried again in a
thread, for getaddrinfo blocks and the reactor must not.
"""

import socket
import threading
from collections.abc import Callable
from typing import Final

from proxycore.net.reactor import Reactor
from proxycore.net.sockets import Address, address_of

RETRY_S: Final = 5.0


def is_ip_address(host: str) -> bool:
    """Tell whether there is nothing to resolve."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return True
    return False


def resolve(host: str, port: int) -> list[Address]:
    """Give all addresses of a host name, an IP address or ``unix:/path``. Raises OSError."""
    if host.startswith("unix:"):
        return [address_of(host, port)]
    return [address_of(ip, port) for ip in resolve_all(host)]


def resolve_all(host: str) -> list[str]:
    """Give all IP addresses of a host name or IP address, each once. Raises OSError."""
    if is_ip_address(host):
        return [host]
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def split_port(text: str, port: int) -> tuple[str, int]:
    """Split ``host:port`` or ``[IPv6 address]:port``; ``port`` is for those without one."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, int(rest[1:]) if rest else port
    if text.count(":") != 1:
        return text, port
    host, _, number = text.partition(":")
    return host, int(number)


def resolve_later(
    reactor: Reactor,
    host: str,
    port: int,
    *,
    wanted: Callable[[], bool],
    found: Callable[[list[Address]], None],
) -> None:
    """Try again every ``RETRY_S`` while ``wanted()``; ``found`` is told the address in the loop."""

    def look_up() -> None:
        try:
            addresses = resolve(host, port)
        except OSError:
            reactor.wake(again)
        else:
            reactor.wake(lambda: found(addresses))

    def start() -> None:
        if wanted():
            threading.Thread(target=look_up, name=f"resolve {host}", daemon=True).start()

    def again() -> None:
        reactor.call_later(RETRY_S, start)

    again()
