"""What a worker has in common with the others for TLS: session caches and ticket keys.

Nothing of OpenSSL is loaded before a snapshot with TLS arrives, unless rights are to be dropped:
afterwards the code may be unreadable.
"""

import base64
import contextlib
import importlib
import mmap
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from proxycore.contract.snapshot import Snapshot
from proxycore.daemon.zones import LOGIN_RATES
from proxycore.net.engine import Engine

if TYPE_CHECKING:
    from proxycore.net.tls.tickets import TicketKeys
    from proxycore.net.tls.zone import Zone


_LATE: Final = ("fronts", "back", "relay", "tickets", "zone")
"""What is imported on first use, and brings everything else of TLS along."""


def import_tls() -> None:
    """Import what TLS needs, while the rights to read it are there; nothing without OpenSSL."""
    with contextlib.suppress(ImportError):
        for name in _LATE:
            importlib.import_module(f"proxycore.net.tls.{name}")


class SharedTls:
    """The worker's end of ``zones`` and ``ticket_keys``."""

    def __init__(self) -> None:
        self._memory: dict[str, mmap.mmap] = {}
        self._zones: dict[str, Zone] = {}
        self._keys: list[str] = []
        self._tickets: TicketKeys | None = None

    def share_rates(self, engine: Engine) -> None:
        """Have logins counted where all workers count them, if they are to be."""
        memory = self._memory.pop(LOGIN_RATES, None)
        if memory is not None:
            engine.share_rates(memory)

    def take_zones(self, names: Iterable[str], sizes: Iterable[int], fds: Iterable[int]) -> None:
        """Map the memory of these caches; the one before of the same name is forgotten."""
        for name, size, fd in zip(names, sizes, fds, strict=True):
            try:
                self._memory[name] = mmap.mmap(fd, size)
            finally:
                os.close(fd)
            self._zones.pop(name, None)

    def use(
        self, engine: Engine, snapshot: Snapshot, zones: Iterable[str], keys: list[str]
    ) -> None:
        """Give the engine what this snapshot needs, before it is applied.

        zones: the caches it names. keys: of tickets, in base64; none without TLS.
        """
        if not any(server.speaks_tls for server in snapshot.servers):
            return
        from proxycore.net.tls.zone import Zone

        wanted = set(zones)
        for name in [name for name in self._memory if name not in wanted]:
            # contexts that run on keep the mapping alive
            del self._memory[name]
            self._zones.pop(name, None)
        for name, memory in self._memory.items():
            if name not in self._zones:
                self._zones[name] = Zone(memory)
        engine.share_tls(dict(self._zones), self._ticket_keys(keys))

    def renew(self, engine: Engine, keys: list[str]) -> None:
        """Use other ticket keys from now on."""
        tickets = self._ticket_keys(keys)
        if tickets is not None:
            engine.renew_tickets(tickets)

    def _ticket_keys(self, keys: list[str]) -> "TicketKeys | None":
        if keys and keys != self._keys:
            from proxycore.net.tls.tickets import TicketKeys

            self._keys = keys
            self._tickets = TicketKeys([base64.b64decode(key) for key in keys])
        return self._tickets
