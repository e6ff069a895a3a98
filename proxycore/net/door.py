"""A listening socket as its sessions see it."""

from collections.abc import Mapping

from proxycore.contract.snapshot import Listen
from proxycore.net.context import Block
from proxycore.net.log import INFO, line
from proxycore.net.sockets import local_address, shown_address

_ANY = frozenset({"*", "0.0.0.0", "::"})  # noqa: S104  (compared with, never bound to)


class Door:
    """What a connection gets from the socket it came in by; made anew by every snapshot."""

    __slots__ = ("_ip", "block", "covered", "key", "port", "proxied", "settles_first")

    def __init__(
        self, block: Block, listen: Listen, covered: "Mapping[str, Door] | None" = None
    ) -> None:
        self.block = block
        self.covered = covered or {}
        """By local address: doors of other ``listen``s that have no socket of their own."""
        self.key = listen.key
        self.proxied = listen.proxy_protocol
        """Connections begin with a PROXY header."""
        self.settles_first = self.proxied or block.wants_client_names
        """Something is to be found out about a connection before its dialogue begins."""
        # asking the kernel costs a system call per login, so it is asked only where it must be
        known = listen.address[:1].isdigit() or ":" in listen.address
        self._ip = listen.address if known and listen.address not in _ANY else ""
        self.port = listen.port

    def chosen(self, fd: int) -> "Door":
        """Give the door that a connection to the address it was made to belongs to."""
        return self.covered.get(local_address(fd)[0], self)

    def admit(self, number: int, client: tuple[str, int]) -> None:
        """Count and log a connection."""
        block = self.block
        ledger = block.context.ledger
        ledger.open_count += 1
        ledger.counts[block.names.accepted] += 1
        if block.log.threshold >= INFO:
            text = f"client {shown_address(*client)} connected to {self.key}"
            block.log.write("info", line(number, text))

    def local_address(self, fd: int) -> tuple[str, int]:
        """Give our own address of a connection; ``("unix:", 0)`` for a unix socket."""
        if self._ip:
            return self._ip, self.port
        return local_address(fd)
