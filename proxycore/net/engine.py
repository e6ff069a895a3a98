"""A worker's data plane: listening sockets, sessions and auth services of the running snapshot.

The daemon's door to ``proxycore.net``. Everything is called from the reactor's thread.
"""

import gc
import os
import socket
from collections.abc import Iterable, Mapping
from typing import Final

from proxycore.contract.reasons import CloseReason
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthHttp, Server, Snapshot
from proxycore.dialogue import profile
from proxycore.net.auth_client import AuthClient
from proxycore.net.auth_desk import AuthDesk
from proxycore.net.context import Block, Context
from proxycore.net.door import Door
from proxycore.net.ledger import Ledger
from proxycore.net.listener import Listener
from proxycore.net.log import Log
from proxycore.net.names import resolve, resolve_later
from proxycore.net.reactor import Reactor
from proxycore.net.relay import Relay
from proxycore.policy.auth_cache import KEY_BYTES, AuthCache

_SWEEP_MOST_S: Final = 5.0
_SWEEP_LEAST_S: Final = 0.1
_SWEEPS_PER_TIMEOUT: Final = 10
"""Idle sessions are found a tenth of ``proxy_timeout`` late at most, or 5 s."""


class Engine:
    """Runs snapshots: accepts, drives, relays, counts."""

    __slots__ = (
        "_cache",
        "_clients",
        "_context",
        "_hostname",
        "_listeners",
        "_node_token",
        "_sweep_s",
        "ledger",
    )

    def __init__(
        self,
        reactor: Reactor,
        *,
        boot_id: str,
        hostname: str,
        log: Log,
        node_token: Secret | None,
    ) -> None:
        """``boot_id`` must be this worker's own: session names are made from it."""
        self.ledger = Ledger(boot_id)
        """Counts and live sessions."""
        self._context = Context(reactor, log, self.ledger)
        self._context.on_full = self._on_full
        self._context.on_room = self._on_room
        reactor.on_bug = self._context.report_bug
        self._hostname = hostname
        self._node_token = node_token
        self._cache = AuthCache(os.urandom(KEY_BYTES))
        self._clients: dict[AuthHttp, AuthClient] = {}
        self._listeners: dict[str, Listener] = {}
        self._sweep_s = _SWEEP_MOST_S
        reactor.call_later(_SWEEP_MOST_S, self._sweep)

    # --- configuration ---

    def apply(self, snapshot: Snapshot, sockets: Mapping[str, socket.socket]) -> None:
        """Run ``snapshot`` from now on.

        sockets: bound and listening, by ``Listen.key``; those not held yet. They are taken over.
        Listening sockets no longer named are closed here, unchanged ones stay as they are.
        Sessions keep the server block they were accepted under. Raises ValueError, with nothing
        changed, when a socket is missing. Resolves names of auth services, as nginx does at start.
        """
        missing = [
            listen.key
            for server in snapshot.servers
            for listen in server.listens
            if listen.key not in sockets and listen.key not in self._listeners
        ]
        if missing:
            raise ValueError(f"no listening socket for {', '.join(missing)}")
        clients: dict[AuthHttp, AuthClient] = {}
        for server in snapshot.servers:
            if server.auth_http not in clients:
                clients[server.auth_http] = self._client(server.auth_http)
        doors = {
            listen.key: Door(block, listen)
            for server in snapshot.servers
            for block in [self._block(server, clients[server.auth_http])]
            for listen in server.listens
        }
        self._context.limit = snapshot.process.worker_connections
        for auth_http, client in self._clients.items():
            if clients.get(auth_http) is not client:
                client.retire()
        self._clients = clients
        self._listen(doors, sockets)
        timeouts_s = [door.block.idle_s for door in doors.values()]
        sweep_s = min(timeouts_s, default=_SWEEP_MOST_S) / _SWEEPS_PER_TIMEOUT
        self._sweep_s = max(_SWEEP_LEAST_S, min(_SWEEP_MOST_S, sweep_s))

    def _block(self, server: Server, client: AuthClient) -> Block:
        names = self.ledger.series(server.name)
        desk = AuthDesk(self._context, server, names, client, self._cache)
        return Block(self._context, server, profile.build(server, self._hostname), names, desk)

    def _client(self, auth_http: AuthHttp) -> AuthClient:
        """Give the client of an auth service: the one there is, unless its name has moved."""
        host, port = auth_http.host, auth_http.port
        known, address = self._clients.get(auth_http), None
        try:
            address = resolve(host, port)
        except OSError as problem:
            text = f'auth http server "{host}" could not be resolved ({problem})'
            self._context.report("error", text)
        if known is not None and address in (None, known.address):
            return known
        client = AuthClient(self._context, auth_http, address, self._node_token)
        if address is None:
            resolve_later(
                self._context.reactor,
                host,
                port,
                wanted=lambda: not client.retired,
                found=client.move_to,
            )
        return client

    def _listen(self, doors: Mapping[str, Door], sockets: Mapping[str, socket.socket]) -> None:
        for key in [key for key in self._listeners if key not in doors]:
            self._listeners.pop(key).close()
        for key, door in doors.items():
            listener, sock = self._listeners.get(key), sockets.get(key)
            if listener is not None:
                listener.door = door
                if sock is None:
                    continue
                if listener.same_socket(sock):
                    sock.close()
                    continue
                listener.close()
            assert sock is not None
            self._listeners[key] = Listener(sock, door)
            if self._context.full:
                self._listeners[key].pause()

    def invalidate(self, generation: int) -> None:
        """Forget cached verdicts: routes or accounts are now of this generation."""
        self._cache.invalidate(generation)

    def settle_memory(self) -> None:
        """Exempt all that lives now from garbage collection; for after start and ``apply``."""
        gc.collect()
        gc.freeze()

    # --- accepting ---

    def stop_accepting(self) -> None:
        """Close this worker's listening sockets. What is queued goes to the other workers."""
        for listener in self._listeners.values():
            listener.close()
        self._listeners = {}

    def _on_full(self) -> None:
        for listener in self._listeners.values():
            listener.pause()

    def _on_room(self) -> None:
        for listener in self._listeners.values():
            listener.resume()

    # --- sessions ---

    @property
    def open_count(self) -> int:
        """Connections of clients, logged in or not."""
        return self.ledger.open_count

    def close_sessions(self, reason: CloseReason, *, only_before_login: bool = False) -> int:
        """End sessions now; tell how many. Before login the client is told, if it listens."""
        drivers = list(self._context.drivers.values())
        for driver in drivers:
            driver.stop(reason)
        relays = [] if only_before_login else self._relays()
        for relay in relays:
            relay.end(reason)
        return len(drivers) + len(relays)

    def kick(self, session_ids: Iterable[str]) -> int:
        """Disconnect sessions by name; tell how many of them were here."""
        kicked = 0
        for session in session_ids:
            number = self.ledger.number_of(session)
            if number is None:
                continue
            relay, driver = self.ledger.live.get(number), self._context.drivers.get(number)
            if isinstance(relay, Relay):
                relay.end(CloseReason.KICKED)
            elif driver is not None:
                driver.stop(CloseReason.KICKED)
            else:
                continue
            kicked += 1
        return kicked

    def _relays(self) -> list[Relay]:
        return [live for live in self.ledger.live.values() if isinstance(live, Relay)]

    def _sweep(self) -> None:
        """End sessions that nothing has passed through for their ``proxy_timeout``."""
        now = self._context.reactor.now
        for relay in self._relays():
            relay.end_if_idle(now)
        self._context.reactor.call_later(self._sweep_s, self._sweep)

    def close(self) -> None:
        """Give everything back at once: sockets, sessions, connections, pipes."""
        self.stop_accepting()
        self.close_sessions(CloseReason.SHUTDOWN)
        for driver in list(self._context.drivers.values()):
            driver.stop(CloseReason.SHUTDOWN)
        for client in self._clients.values():
            client.retire()
        self._context.pipes.close()
