"""What this installation listens on itself, so that nobody sends it to its own door."""

import contextlib
import ipaddress
import socket

from django.conf import settings

from appliance.publish import queries as publish
from appliance.servers.collisions import WILDCARDS
from appliance.servers.models import Listener
from proxycore.contract.snapshot import Listen


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
        servers = publish.readable(active).servers
        found += [listen for server in servers for listen in server.listens]
    return found


def _reaches(address: str, listening: str) -> bool:
    """Tell whether a connection to an address arrives at who listens on another."""
    if listening in WILDCARDS:
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
