"""What this installation listens on itself, so that nobody sends it to its own door."""

import contextlib
import ipaddress
import socket
from typing import Final

from django.conf import settings

from appliance.publish import queries as publish
from appliance.servers.models import Listener
from proxycore.contract.snapshot import Listen

_WILDCARDS: Final = {"", "*", "0.0.0.0", "::"}  # noqa: S104  (compared with)


def problems_of_listener(listener: Listener) -> dict[str, list[str]]:
    """Say who has the socket of a listener already, by stored field."""
    key = str(listener)
    unix = listener.address.startswith("unix:")
    field = "address" if unix else "port"
    alike = Listener.objects.filter(port=listener.port).exclude(pk=listener.pk)
    for other in alike.select_related("block"):
        if str(other) == key and not _may_share(listener, other):
            return {field: [f"Server block “{other.block}” listens on {key} already."]}
    taken = "" if unix else web_door(listener.address, listener.port)
    return {field: [f"{key} is {taken}: choose another port."]} if taken else {}


def _may_share(one: Listener, other: Listener) -> bool:
    """Tell whether two blocks can be told apart by the name a client asks for (SNI).

    The rest of what sharing needs is checked with the whole draft.
    """
    is_tls = all(each.ssl or each.block.starttls != "off" for each in (one, other))
    same = one.block.protocol == other.block.protocol and one.block_id != other.block_id
    return is_tls and same


def web_door(address: str, port: int) -> str:
    """Name the door of the appliance that a listener on this address would collide with."""
    for purpose, taken in (
        ("the address of this admin", settings.HTTP_PORT),
        ("the address of Postroad's auth service", settings.AUTH_LISTEN_PORT),
    ):
        if port and port == taken and _overlap(address, settings.HTTP_ADDRESS):
            return purpose
    return ""


def own_door(address: str, port: int) -> str:
    """Name what of ours is reached at an IP address and port; empty when it is nobody of ours."""
    for listen in _listens():
        if listen.port == port and _reaches(address, listen.ip):
            return f"our own listener {listen.key}"
    web = {settings.HTTP_PORT, settings.AUTH_LISTEN_PORT, settings.AUTH_HTTP_PORT} - {0}
    if port in web and _reaches(address, settings.HTTP_ADDRESS):
        return "Postroad's own web interface"
    return ""


def _listens() -> list[Listen]:
    """Give every socket, drafted or published."""
    found = [
        Listen(address=listener.address, port=listener.port)
        for listener in Listener.objects.exclude(address__startswith="unix:")
    ]
    active = publish.current()
    if active is not None:
        servers = publish.servers_of(active.number, active.digest)
        found += [listen for server in servers for listen in server.listens]
    return found


def _overlap(one: str, other: str) -> bool:
    ones, others = one in _WILDCARDS, other in _WILDCARDS
    return ones or others or one == other or {one, other} <= {"localhost", "127.0.0.1"}


def _reaches(address: str, listening: str) -> bool:
    """Tell whether a connection to an address arrives at who listens on another."""
    if listening in _WILDCARDS:
        return _is_of_this_machine(address)
    if listening == "localhost":
        return ipaddress.ip_address(address).is_loopback
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(listening) == ipaddress.ip_address(address)
    return False


def _is_of_this_machine(address: str) -> bool:
    """Tell whether an address is one of ours: only such can be bound."""
    if ipaddress.ip_address(address).is_loopback:
        return True
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return True
    return False
