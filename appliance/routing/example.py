"""The worked example: listing 15-2's policy as data (users a, c, f, g to one host, others to two).

Loading it again changes nothing; a mail host is changed only when an address is given for it.
What was loaded can be removed again, as far as nobody has come to use it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.db.models import ProtectedError

from appliance.publish import services as publishing
from appliance.routing import services
from appliance.routing.choices import HostTls, MatchKind
from appliance.routing.models import MailHost, Route
from appliance.servers import services as servers
from proxycore.contract.authhttp import is_ip_address
from proxycore.contract.protocol import DEFAULT_PORTS, Protocol

LETTERS: Final = "acfg"
_MOST: Final = 65_535


@dataclass(frozen=True, slots=True)
class Place:
    """Address and ports of a mail host."""

    address: str
    imap_port: int = DEFAULT_PORTS[Protocol.IMAP]
    pop3_port: int = DEFAULT_PORTS[Protocol.POP3]
    smtp_port: int = DEFAULT_PORTS[Protocol.SMTP]


ADDRESSES: Final[Mapping[str, Place]] = {
    "mailhost01": Place("192.168.1.22"),
    "mailhost02": Place("192.168.1.33"),
}
"""The listing's."""

_PLACE: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::(\d+),(\d+),(\d+))?")


def parse_place(text: str) -> Place:
    """Read ``IP`` or ``IP:imap,pop3,smtp`` (IPv6 in brackets). Raises ValueError."""
    found = _PLACE.fullmatch(text)
    address = (found[1] or found[2]) if found else ""
    if found is None or not is_ip_address(address.encode()):
        raise ValueError(f"{text}: give IP or IP:imap,pop3,smtp, for instance 192.0.2.1:143,110,25")
    if not found[3]:
        return Place(address)
    ports = [int(port) for port in found.groups()[2:]]
    if not all(0 < port <= _MOST for port in ports):
        raise ValueError(f"{text}: ports are from 1 to {_MOST}")
    return Place(address, *ports)


@transaction.atomic
def load(places: Mapping[str, Place]) -> list[str]:
    """Create hosts, routes and server blocks as far as they are missing, and publish.

    places: by host name, instead of the listing's addresses. Gives what was done, in words.
    Raises ValidationError, NotPublishable.
    """
    done = [_told(name, places) for name in ADDRESSES if _host(name, places)]
    if not Route.objects.exists():
        first, second = (MailHost.objects.get(name=name) for name in ADDRESSES)
        services.save_route(Route(match=MatchKind.LETTERS, value=LETTERS, mail_host=first))
        services.save_route(Route(match=MatchKind.DEFAULT, mail_host=second))
        done.append(f"routes created: first letter {' '.join(LETTERS)} to {first}, others {second}")
    done.extend(f"server block {block.name} created" for block in servers.create_default_blocks())
    revision, is_new = publishing.publish(note="Worked example")
    if is_new:
        done.append(f"revision {revision.number} published")
    return done


@transaction.atomic
def remove() -> list[str]:
    """Delete the routes and mail hosts of the example, but none that differs or is used elsewhere.

    Gives what was done, in words.
    """
    done = []
    ours = zip((MatchKind.LETTERS, MatchKind.DEFAULT), (LETTERS, ""), ADDRESSES, strict=True)
    for match, value, name in ours:
        for route in Route.objects.filter(match=match, value=value, mail_host__name=name):
            done.append(f"route deleted: {route} to {name}")
            services.delete([route])
    for host in MailHost.objects.filter(name__in=ADDRESSES):
        try:
            services.delete([host])
        except ProtectedError:
            done.append(f"mail host {host} kept: something else uses it")
        else:
            done.append(f"mail host {host} deleted")
    return done


def _told(name: str, places: Mapping[str, Place]) -> str:
    place = places.get(name, ADDRESSES[name])
    ports = f"{place.imap_port}, {place.pop3_port}, {place.smtp_port}"
    text = f"mail host {name} is at {place.address}, ports {ports} (IMAP, POP3, SMTP)"
    if name in places:
        return text
    return f"{text}: an invented address, give yours with --{name}=IP"


def _host(name: str, places: Mapping[str, Place]) -> bool:
    host = MailHost.objects.filter(name=name).first()
    if host is not None and name not in places:
        return False
    place = places.get(name, ADDRESSES[name])
    if host is not None and place == Place(
        host.address, host.imap_port, host.pop3_port, host.smtp_port
    ):
        return False
    host = host or MailHost(name=name)
    host.address = place.address
    host.imap_port, host.pop3_port = place.imap_port, place.pop3_port
    host.smtp_port = place.smtp_port
    # the listing's mail servers are spoken to in clear
    host.imap_tls = host.pop3_tls = host.smtp_tls = HostTls.NONE
    services.save_mail_host(host)
    return True
