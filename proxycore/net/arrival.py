"""A connection before the machine's first event: PROXY header, then the client's host name.

Only connections that need one of these come through here; all others begin with the driver.
The machine knows nothing of it: when it hears ``Accepted``, all that is settled (dialogues §1.1).
"""

import os
from contextlib import suppress
from time import time
from typing import Final

from proxycore.contract.authhttp import ProxyFacts
from proxycore.contract.reasons import CloseReason
from proxycore.contract.session import Standing, WaitingSession
from proxycore.dialogue.shown import without_credentials
from proxycore.net.access import Course
from proxycore.net.client_names import Confirmation
from proxycore.net.door import Door
from proxycore.net.driver import Driver
from proxycore.net.log import LEVELS, line, whereabouts
from proxycore.net.reactor import BROKEN, READ
from proxycore.net.sockets import READ_BYTES
from proxycore.net.timers import Timer
from proxycore.policy.trust import real_address
from proxycore.wire.proxyproto import BadHeader, read_header

_READING_HEADER: Final = "reading PROXY protocol"


class Arrival:
    """One accepted connection until its dialogue begins or it is closed without a word."""

    __slots__ = (
        "_buffer",
        "_context",
        "_counted",
        "_course",
        "_door",
        "_fd",
        "_name",
        "_peer",
        "_proxy",
        "_timer",
        "number",
    )

    def __init__(self, door: Door, front: int, client: tuple[str, int], number: int) -> None:
        self._door = door
        self._context = context = door.block.context
        self._course = Course(context.reactor.now, time())
        self._counted = door.counted(client[0])
        """Address it counts under before login; empty: none yet."""
        self._fd = front
        self._peer = client
        self.number = number
        self._buffer = b""
        self._proxy: ProxyFacts | None = None
        self._name: Confirmation | None = None
        self._timer: Timer | None = None

    def start(self) -> None:
        """Begin with what the socket asks for first."""
        context = self._context
        self._door.admit(self.number, self._peer)
        context.enter(self, self._counted)
        if self._door.proxied:
            context.reactor.watch(self._fd, READ, self._on_header)
            timeout_s = self._door.block.server.timeout_ms / 1000
            self._timer = context.reactor.call_later(timeout_s, self._time_out)
        else:
            context.reactor.watch(self._fd, 0, self._on_gone)
            self._identify(self._peer)

    def stop(self, reason: CloseReason) -> None:
        """Close without a word: nothing has been said yet."""
        self._release()
        context = self._context
        context.leave(self.number, self._counted)
        context.reactor.close(self._fd)
        self._door.close(self.number, self._client(), self._course, reason, self._proxy)

    # --- for who looks at sessions before login ---

    @property
    def address(self) -> str:
        """Address that it counts under; empty: none yet."""
        return self._counted

    def standing(self) -> Standing:
        """Tell what it waits for."""
        waits = self._door.proxied and self._proxy is None
        return Standing.PROXY_HEADER if waits else Standing.CLIENT_NAME

    def describe(self) -> WaitingSession:
        """Describe it for people."""
        server, client = self._door.block.server, self._client()
        return WaitingSession(
            session=self._context.ledger.name_of(self.number),
            server=server.name,
            protocol=server.protocol.value,
            client=client[0],
            client_port=client[1],
            listen=self._door.key,
            standing=self.standing(),
            age_s=self._context.reactor.now - self._course.began_at,
        )

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._name is not None:
            self._name.cancel()
            self._name = None

    # --- the header ---

    def _on_header(self, fd: int, _events: int) -> None:
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.stop(CloseReason.CLIENT_ERROR)
            return
        if not data:
            self._log("info", "client closed connection", _READING_HEADER)
            self.stop(CloseReason.CLIENT_CLOSED)
            return
        self._buffer += data
        try:
            header = read_header(self._buffer)
        except BadHeader:
            self._course.fault = f'broken header: "{without_credentials(self._buffer)}"'
            self._log("error", self._course.fault, _READING_HEADER)
            self._read_away()
            self.stop(CloseReason.BAD_PROXY_HEADER)
            return
        if header is None:
            return
        self._release()
        self._buffer = self._buffer[header.end :]
        self._proxy = header.facts
        self._course.peer = self._peer
        self._context.reactor.change(fd, 0)
        self._context.reactor.hand_over(fd, self._on_gone)
        client = self._client()
        if client[0] != self._counted:
            limit = self._context.gate.exceeded(client[0], len(self._context.drivers) - 1)
            if limit:
                self._door.say_limit(self.number, client, fd, limit)
                self.stop(CloseReason.TOO_MANY_SESSIONS)
                return
            self._context.rename(self._counted, client[0])
            self._counted = client[0]
        self._identify(client)

    def _read_away(self) -> None:
        # an RST would tell a scanner more than silence does
        with suppress(OSError):
            os.read(self._fd, READ_BYTES)

    def _client(self) -> tuple[str, int]:
        """Give the client as everybody is told it: the peer, or whom a trusted peer names."""
        proxy = self._proxy
        if proxy is None or self._peer[0] not in self._door.block.trusted:
            return self._peer
        return real_address(proxy.client_ip, proxy.client_port) or self._peer

    def _time_out(self) -> None:
        self._timer = None
        self._log("info", "client timed out (110: Connection timed out)", _READING_HEADER)
        self.stop(CloseReason.CLIENT_TIMEOUT)

    # --- the name ---

    def _identify(self, client: tuple[str, int]) -> None:
        block = self._door.naming
        if not block.wants_client_names or client[0].startswith("unix:"):
            self._begin(client, "")
            return

        def log(message: str, action: str) -> None:
            self._log("error", message, action, client[0])

        timeout_s = block.server.resolver_timeout_ms / 1000
        self._name = Confirmation(block.resolver, timeout_s, client[0], log)
        known = self._name.begin(lambda host: self._begin(client, host))
        if known:
            self._begin(client, known)

    def _on_gone(self, fd: int, events: int) -> None:
        if events & BROKEN:
            self.stop(CloseReason.CLIENT_CLOSED)

    def _begin(self, client: tuple[str, int], host: str) -> None:
        self._name = None
        driver = Driver(self._door, self._fd, client, self.number)
        if host:
            driver.client_host = host
        driver.proxy = self._proxy
        driver.course = self._course
        driver.take_over(self._buffer)

    def _log(self, level: str, message: str, action: str, client: str = "") -> None:
        log = self._door.block.log
        if LEVELS[level] <= log.threshold:
            where = whereabouts(client or self._peer[0], self._door.key, b"", "")
            log.write(level, line(self.number, message, where, action))
