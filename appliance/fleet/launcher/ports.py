"""Find out before anything is started whether every port is free."""

import errno
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Door:
    """One address that will be listened on."""

    purpose: str
    address: str
    port: int
    variable: str = ""
    """Environment variable that changes the port; empty when the admin does."""

    @property
    def shown(self) -> str:
        """Give address and port as people write them."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"

    @property
    def reach(self) -> tuple[str, int]:
        """Give where to connect to: a wildcard address is reached by loopback."""
        loopback = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (compared with)
        return loopback.get(self.address, self.address), self.port


def complaints(doors: Iterable[Door]) -> list[str]:
    """Say of every door that cannot be opened why not, and what to do."""
    found: list[str] = []
    seen: dict[tuple[str, int], Door] = {}
    for door in doors:
        other = seen.setdefault((door.address, door.port), door)
        if other is not door:
            found.append(f"{door.purpose} and {other.purpose} both want {door.shown}.{_help(door)}")
            continue
        fault = _try(door)
        if fault:
            found.append(f"{door.purpose}: {door.shown} {fault}.{_help(door)}")
    return found


def _help(door: Door) -> str:
    if not door.variable:
        return " Stop what uses it, or change the listener in the admin and publish."
    return f" Choose another: {door.variable}={_suggestion(door.port)} make run"


def _suggestion(port: int) -> int:
    higher = port + 1000
    return higher if 1024 <= higher <= 65535 else 10_000 + port % 10_000


def _try(door: Door) -> str:
    address = "0.0.0.0" if door.address == "*" else door.address  # noqa: S104  (what `*` means)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # as the real listeners do, so that connections in TIME_WAIT are no obstacle
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, door.port))
            probe.listen(1)
    except (OSError, UnicodeError) as error:
        code = getattr(error, "errno", None)
        if code == errno.EADDRINUSE:
            return "is in use by another program"
        if code == errno.EACCES:
            return "needs a privilege this user does not have (ports below 1024)"
        if code == errno.EADDRNOTAVAIL:
            return "is no address of this machine"
        return f"cannot be listened on: {os.strerror(code) if code else error}"
    return ""
