"""The client's connection before login: read when wanted, written at once, closed in order.

The kernel's refusal to take a reply is what makes the reactor wait for room, and then the client
is not read either (dialogues §1.5).
"""

import os
from time import time
from typing import TYPE_CHECKING, Final

from proxycore.contract.authhttp import ProxyFacts, TlsFacts
from proxycore.contract.reasons import CloseReason
from proxycore.dialogue.events import Event, FrontBytes, FrontClosed
from proxycore.dialogue.session import Session
from proxycore.net.access import Course
from proxycore.net.door import Door
from proxycore.net.log import ERROR, LEVELS, USING_STARTTLS, line, whereabouts
from proxycore.net.reactor import BROKEN, READ, WRITE
from proxycore.net.sockets import READ_BYTES, read, write
from proxycore.net.timers import Timer

if TYPE_CHECKING:
    from proxycore.net.tls.front import FrontTlsEndpoint

MOST_UNREAD_BYTES: Final = 262_144
"""Read away before a close that cuts a talking client off, so that the last reply arrives:
closing with unread octets makes the kernel send RST, which destroys what is on its way."""

FRONT_GONE: Final = FrontClosed()


class FrontLeg:
    """Reads and writes one client's socket."""

    __slots__ = (
        "_following",
        "_front",
        "_front_mask",
        "_front_out",
        "_front_tls",
        "_machine",
        "_timer",
        "_upstream",
        "block",
        "client_ip",
        "client_port",
        "context",
        "course",
        "door",
        "listen",
        "local_port",
        "number",
        "proxy",
        "tls",
    )

    def __init__(self, door: Door, front: int, client: tuple[str, int], number: int) -> None:
        self.door = door
        self.block = block = door.block
        self.context = context = block.context
        self.course = Course(context.reactor.now, time())
        """Its times, for the access log."""
        self.listen = door.key
        self.local_port = door.port
        """Our own port of the client's connection; 0 for a unix socket. Every login asks for it,
        so the kernel is not."""
        self.client_ip, self.client_port = client
        self.number = number
        self.proxy: ProxyFacts | None = None
        """What a PROXY header said."""
        self._front = front
        self._front_mask = READ
        self._front_out = b""
        """To be written; sealed, where that has begun."""
        self._front_tls: FrontTlsEndpoint | None = None
        """Once a handshake has begun, or is to."""
        self.tls: TlsFacts | None = None
        """What the handshake agreed on, once it is done."""
        self._machine: Session | None = None
        self._following: Event | None = None
        self._timer: Timer | None = None
        self._upstream = ""

    def deliver(self, event: Event) -> None:
        """Tell the machine."""
        raise NotImplementedError

    # --- what a login may ask for ---

    @property
    def local_ip(self) -> str:
        """Our own address of the client's connection."""
        return self.door.local_address(self._front)[0]

    @property
    def session(self) -> str:
        """Our name of the session."""
        return self.context.ledger.name_of(self.number)

    @property
    def challenge(self) -> bytes:
        """What makes a challenge of APOP or CRAM-MD5 unlike any other."""
        return b"%d.%d" % (int.from_bytes(os.urandom(8), "big"), int(time()))

    # --- reading ---

    def _on_front(self, fd: int, events: int) -> None:
        # a readable client whom we want to hear is the rule
        if (events != READ or self._front_mask != READ) and not self._prepare_read(events):
            return
        try:
            data = read(fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.deliver(FrontClosed(CloseReason.CLIENT_ERROR))
            return
        if self._front_tls is not None:
            self._on_sealed(data)
            return
        self.deliver(FrontBytes(data) if data else FRONT_GONE)

    def _on_sealed(self, data: bytes) -> None:
        """Handle what came where there is TLS; nothing is the end of the stream."""
        raise NotImplementedError

    def _prepare_read(self, events: int) -> bool:
        """Handle everything but input; tell whether the client is to be read."""
        if events & WRITE:
            self._front_room()
        if self._machine is None:
            if events & BROKEN:
                self._finish()
            return False
        if events & BROKEN and not self._front_mask & READ:
            self.deliver(FrontClosed(CloseReason.CLIENT_ERROR))
            return False
        return bool(self._front_mask & READ and events & (READ | BROKEN))

    def _read_away(self) -> None:
        left = MOST_UNREAD_BYTES
        try:
            while left > 0 and (data := read(self._front, READ_BYTES)):
                left -= len(data)
        except OSError:
            pass

    # --- writing ---

    def _front_room(self) -> None:
        """Write what the kernel did not take before."""
        self._flush_front()
        if self._front_out or self._front < 0:
            return
        if self._machine is None:
            self._finish()
        else:
            self._remask_front()

    def _flush_front(self) -> None:
        out = self._front_out
        try:
            sent = write(self._front, out)
        except BlockingIOError:
            return
        except OSError:
            self._front_out = b""
            if self._machine is None:
                self._finish()
            else:
                self._following = None
                self.deliver(FrontClosed(CloseReason.CLIENT_ERROR))
            return
        self._front_out = b"" if sent == len(out) else out[sent:]

    def _remask_front(self) -> None:
        """Read a client only while it takes our replies and the machine wants more."""
        if self._front_out:
            mask = WRITE
        else:
            mask = READ if self._machine is not None and self._machine.wants_front else 0
        if mask != self._front_mask:
            self.context.reactor.change(self._front, mask)
            self._front_mask = mask

    # --- the end ---

    def _finish(self) -> None:
        """Close the client's connection; nothing refers to this session any more."""
        if self._front < 0:
            return
        context = self.context
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        context.reactor.close(self._front)
        self._front = -1
        self._front_out = b""
        context.leave(self.number, self.client_ip)
        context.session_gone()

    def _log(self, level: str, message: str, action: str) -> None:
        number, log = LEVELS[level], self.block.log
        if number <= ERROR:
            self.course.fault = message
        if number <= log.threshold:
            machine = self._machine
            login, auth_session = (machine.login, machine.auth_session) if machine else (b"", "")
            client = self.client_ip
            if self._front_tls is not None and not self.door.secured:
                client += USING_STARTTLS
            where = whereabouts(client, self.listen, login, self._upstream, auth_session)
            log.write(level, line(self.number, message, where, action))
