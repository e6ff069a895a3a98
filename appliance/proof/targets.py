"""What there is to look at on a node, and which certificate should be seen there.

Pure: from the configuration a node runs, and from how it is reached.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from appliance.lib.x509 import facts_of, fingerprint, key_kind, read_certificates
from proxycore.contract.binding import Binding, bindings
from proxycore.contract.listen import Listen
from proxycore.contract.names import NOBODY, is_wildcard
from proxycore.contract.server import Server
from proxycore.contract.server_names import Names, is_address
from proxycore.contract.snapshot import Snapshot
from proxycore.contract.tls import DATA

MAX_NAMES: Final = 20
"""Names asked for at one listener. Many names are shown one certificate, mostly."""

STAND_IN: Final = "check"
"""Label asked for where a certificate is for ``*.example.com``."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate as clients are shown it."""

    kind: str
    """``RSA``, ``EC``, ``Ed25519`` or ``Ed448``; empty when it is not known."""
    fingerprints: tuple[str, ...] = ()
    """Of the certificate and its chain; empty when only the node knows the file."""

    @property
    def leaf(self) -> str:
        """Fingerprint of the certificate itself."""
        return self.fingerprints[0] if self.fingerprints else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One listener and one name, with all the certificates that should be seen."""

    listen: Listen
    server: Server
    position: int
    name: str
    expected: tuple[Shown, ...]

    @property
    def is_implicit(self) -> bool:
        """TLS from the first octet, not after STARTTLS."""
        return self.listen.ssl


@dataclass(frozen=True, slots=True)
class Plan:
    """What to look at on a node."""

    targets: tuple[Target, ...]
    left_out: int
    """Names beyond what is asked for at one listener."""


def plan(servers: tuple[Server, ...]) -> Plan:
    """Give everything of a configuration that speaks TLS to clients."""
    targets: list[Target] = []
    left_out = 0
    sockets = bindings(Snapshot(servers=servers)).values()
    doors = [door for one in sockets for door in (one, *one.covered.values())]
    for door in sorted(doors, key=lambda door: (door.server, door.path)):
        found, more = _of_door(door, servers, len(targets))
        targets += found
        left_out += more
    return Plan(tuple(targets), left_out)


def _of_door(door: Binding, servers: tuple[Server, ...], position: int) -> tuple[list[Target], int]:
    default = servers[door.server]
    if not door.listen.ssl and default.front_tls.starttls == "off":
        return [], 0
    blocks = [servers[i] for i in dict.fromkeys((door.server, *door.sharing))]
    choice = Names(default, [(name, block) for block in blocks for name in block.server_names])
    names = list(dict.fromkeys(name for block in blocks for name in _names_of(block)))
    asked = ["", *names[:MAX_NAMES]]
    found = [
        Target(
            listen=door.listen,
            server=block,
            position=position + i,
            name=name,
            expected=certificates_of(block),
        )
        for i, name in enumerate(asked)
        for block in (choice.choose(name),)
    ]
    return found, len(names) - len(asked) + 1


def _names_of(block: Server) -> Iterator[str]:
    """Give the names to ask for: those that choose the block, and those of its certificates."""
    for name in block.server_names:
        name = name.removeprefix(".").lower()
        if name != NOBODY and name and not is_wildcard(name):
            yield name
    for certificate in block.front_tls.certificates:
        for name in _read(certificate.ssl_certificate)[1]:
            if not is_address(name):
                yield name.lower().replace("*", STAND_IN, 1)


def certificates_of(block: Server) -> tuple[Shown, ...]:
    """Give what clients of a block should see: the last certificate of each kind of key."""
    found: dict[str, Shown] = {}
    for certificate in block.front_tls.certificates:
        shown, _ = _read(certificate.ssl_certificate)
        found[shown.kind] = shown
    # a file of the node may be of any kind, and commands to OpenSSL may name another
    if "" in found or not found or _is_overridden(block):
        return (Shown(""),)
    return tuple(found.values())


def _is_overridden(block: Server) -> bool:
    commands = block.front_tls.ssl_conf_command
    return any(command.name.lower() == "certificate" for command in commands)


@lru_cache(maxsize=256)
def _read(ssl_certificate: str) -> tuple[Shown, tuple[str, ...]]:
    """Give a published certificate as it is shown, and the names it is for."""
    if not ssl_certificate.startswith(DATA):
        return Shown(""), ()
    try:
        chain = read_certificates(ssl_certificate.removeprefix(DATA).encode())
        kind = key_kind(chain[0].public_key()).partition(" ")[0]
        return Shown(kind, tuple(map(fingerprint, chain))), facts_of(chain[0]).names
    except (ValueError, IndexError):
        return Shown(""), ()


@dataclass(frozen=True, slots=True)
class Reach:
    """How a listener is reached from here."""

    host: str
    """Empty: not at all."""
    why_not: str = ""


def reach(listen: Listen, probe_address: str, peer_address: str) -> Reach:
    """Say where to connect.

    probe_address: what an operator said of the node.
    peer_address: where its control link comes from.
    """
    if listen.address.startswith("unix:"):
        return Reach("", "A unix socket is reached on the node alone.")
    ip = listen.ip
    if ip not in ("*", "::"):
        if _is_loopback(ip) and not _is_loopback(peer_address):
            return Reach("", "Only programs on the node itself reach a loopback address.")
        if _is_name(ip):
            # every node looks it up by itself, and may find its own address
            return Reach(probe_address or ip)
        return Reach(ip)
    for address in filter(None, (probe_address, peer_address)):
        if _fits(address, ip):
            return Reach(address)
        if _is_loopback(address):
            return Reach("::1" if ip == "::" else "127.0.0.1")
    version = "IPv6" if ip == "::" else "IPv4"
    return Reach("", f"No {version} address of this node is known: give it a probe address.")


def _is_name(text: str) -> bool:
    return not is_address(text)


def _fits(address: str, wildcard: str) -> bool:
    """Tell whether a connection to an address arrives at a wildcard; a name may."""
    try:
        return (ipaddress.ip_address(address).version == 6) == (wildcard == "::")
    except ValueError:
        return True


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
