"""Find out before anything is started whether every port is free."""

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_WILDCARDS: Final = frozenset({"", "*", "0.0.0.0", "::"})  # noqa: S104  (compared with)


@dataclass(frozen=True, slots=True)
class Door:
    """One address that will be listened on."""

    purpose: str
    address: str
    port: int
    variable: str = ""
    """Environment variable that changes the port; empty when the admin does."""
    address_variable: str = ""
    """The one that changes the address."""
    is_tls: bool = False
    """TLS from the first octet: who connects has to begin."""

    @property
    def shown(self) -> str:
        """Give address and port as people write them."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"

    @property
    def reach(self) -> tuple[str, int]:
        """Give where to connect to: a wildcard address is reached by loopback."""
        if self.address in _WILDCARDS:
            return "::1" if ":" in self.address else "127.0.0.1", self.port
        return self.address, self.port


def complaints(doors: Iterable[Door]) -> list[str]:
    """Say of every door that cannot be opened why not, and what to do."""
    found: list[str] = []
    seen: dict[tuple[str, int], Door] = {}
    for door in doors:
        other = seen.setdefault((door.address, door.port), door)
        if other is not door:
            help_ = _help_with_port(door)
            found.append(f"{door.purpose} and {other.purpose} both want {door.shown}.{help_}")
            continue
        fault, help_ = _try(door)
        if fault:
            found.append(f"{door.purpose}: {door.shown} {fault}.{help_}")
    return found


def clashes(own: Iterable[Door], others: Iterable[Door]) -> list[str]:
    """Say which of ``own`` are in the way of ``others``, a wildcard address being all of them."""
    others = list(others)
    return [
        f"{door.purpose} ({door.shown}) is in the way of {other.purpose} ({other.shown})."
        f"{_help_with_port(door)}"
        for door in own
        for other in others
        if door.port == other.port and _overlap(door.address, other.address)
    ]


def _overlap(one: str, other: str) -> bool:
    if (":" in one) != (":" in other):
        return False
    return one == other or one in _WILDCARDS or other in _WILDCARDS


def _help_with_port(door: Door) -> str:
    if not door.variable:
        return " Stop what uses it, or change the listener in the admin and publish."
    return f" Choose another: {door.variable}={_suggestion(door.port)} make run"


def _help_with_address(door: Door) -> str:
    if not door.address_variable:
        return " Change the listener in the admin and publish."
    return f" Choose another address: {door.address_variable}=127.0.0.1 make run"


def _suggestion(port: int) -> int:
    higher = port + 1000
    return higher if 1024 <= higher <= 65535 else 10_000 + port % 10_000


def _try(door: Door) -> tuple[str, str]:
    """Give what stands in the way of a door and what to do; empty: nothing."""
    address = "0.0.0.0" if door.address == "*" else door.address  # noqa: S104  (what `*` means)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # as the real listeners do, so that connections in TIME_WAIT are no obstacle
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address, door.port))
            probe.listen(1)
    except (socket.gaierror, UnicodeError):
        return "is no address", _help_with_address(door)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return "is in use by another program", _help_with_port(door)
        if error.errno == errno.EACCES:
            text = "needs a privilege this user does not have (ports below 1024)"
            return text, _help_with_port(door)
        if error.errno == errno.EADDRNOTAVAIL:
            return "is no address of this machine", _help_with_address(door)
        return f"cannot be listened on: {error.strerror}", _help_with_address(door)
    return "", ""
