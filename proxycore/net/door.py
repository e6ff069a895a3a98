"""A listening socket as its sessions see it."""

from proxycore.contract.snapshot import Listen
from proxycore.net.context import Block
from proxycore.net.sockets import local_address

_ANY = frozenset({"*", "0.0.0.0", "::"})  # noqa: S104  (compared with, never bound to)


class Door:
    """What a connection gets from the socket it came in by; made anew by every snapshot."""

    __slots__ = ("_ip", "_port", "block", "key")

    def __init__(self, block: Block, listen: Listen) -> None:
        self.block = block
        self.key = listen.key
        # asking the kernel costs a system call per login, so it is asked only where it must be
        known = listen.address[:1].isdigit() or ":" in listen.address
        self._ip = listen.address if known and listen.address not in _ANY else ""
        self._port = listen.port

    def local_address(self, fd: int) -> tuple[str, int]:
        """Give our own address of a connection; ``("unix:", 0)`` for a unix socket."""
        if self._ip:
            return self._ip, self._port
        return local_address(fd)
