"""A listening socket as its sessions see it."""

import os
from collections.abc import Mapping
from contextlib import suppress
from time import time
from typing import TYPE_CHECKING

from proxycore.contract.authhttp import ProxyFacts
from proxycore.contract.reasons import CloseReason
from proxycore.contract.snapshot import Listen
from proxycore.dialogue import replies
from proxycore.net.access import Course, keep, write_record
from proxycore.net.context import Block
from proxycore.net.log import INFO, LEVELS, line, whereabouts
from proxycore.net.sockets import local_address, shown_address

if TYPE_CHECKING:
    from proxycore.net.tls.library import Library

_ANY = frozenset({"*", "0.0.0.0", "::"})  # noqa: S104  (compared with, never bound to)


class Door:
    """What a connection gets from the socket it came in by; made anew by every snapshot."""

    __slots__ = (
        "_ip",
        "block",
        "covered",
        "key",
        "library",
        "naming",
        "port",
        "proxied",
        "secured",
        "settles_first",
    )

    def __init__(
        self,
        block: Block,
        listen: Listen,
        covered: "Mapping[str, Door] | None" = None,
        *,
        library: "Library[Block] | None" = None,
        naming: Block | None = None,
    ) -> None:
        """``naming``: the block whose resolver finds clients' names, if it is another one."""
        self.block = block
        """Of the blocks that share the socket, the one for clients that name nobody."""
        self.library = library
        """Contexts of all of them by name, where they speak TLS."""
        self.naming = naming or block
        self.covered = covered or {}
        """By local address: doors of other ``listen``s that have no socket of their own."""
        self.key = listen.key
        self.proxied = listen.proxy_protocol
        """Connections begin with a PROXY header."""
        self.secured = listen.ssl
        """They speak TLS from the first octet."""
        self.settles_first = self.proxied or self.naming.wants_client_names
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

    # --- limits before login ---

    def counted(self, peer: str) -> str:
        """Give the address a new connection counts under before login; empty: not known yet.

        What comes from a trusted proxy counts as its client's, whom the PROXY header will tell.
        """
        return "" if self.proxied and peer in self.block.trusted else peer

    def turn_away(self, number: int, client: tuple[str, int], fd: int, limit: str) -> None:
        """Close a connection that has just been accepted and that ``limit`` does not allow."""
        self.admit(number, client)
        context = self.block.context
        course = Course(context.reactor.now, time())
        self.say_limit(number, client, fd, limit)
        context.reactor.close(fd)
        self.close(number, client, course, CloseReason.TOO_MANY_SESSIONS)

    def say_limit(self, number: int, client: tuple[str, int], fd: int, limit: str) -> None:
        """Tell the operator and the client that there are too many sessions before login."""
        block, context = self.block, self.block.context
        gate = context.gate
        level = "warn" if gate.is_news(client[0], limit, len(context.drivers)) else "info"
        if block.log.threshold >= LEVELS[level]:
            where = whereabouts(client[0], self.key, b"", "")
            text = f"too many sessions before login: limit reached (setting {limit})"
            block.log.write(level, line(number, text, where))
        if not self.secured:
            # what the kernel does not take at once, a client that is one too many does not get
            with suppress(OSError):
                os.write(fd, replies.TOO_MANY_SESSIONS[block.server.protocol])

    def close(
        self,
        number: int,
        client: tuple[str, int],
        course: Course,
        reason: CloseReason,
        proxy: ProxyFacts | None = None,
    ) -> None:
        """Count and record the end of a connection that never came to its dialogue."""
        block = self.block
        context = block.context
        context.ledger.closed(block.names, reason)
        context.session_gone()
        if block.access.wanted:
            kept = keep(course, context.reactor.now, connecting=False, proxy=proxy)
            at = course.started_at
            place = (block, number, self.key, *client, b"", "", "", at)
            write_record(*place, kept, reason, fault=course.fault)

    def local_address(self, fd: int) -> tuple[str, int]:
        """Give our own address of a connection; ``("unix:", 0)`` for a unix socket."""
        if self._ip:
            return self._ip, self.port
        return local_address(fd)
