"""A worker's data plane: listening sockets, sessions and auth services of the running snapshot.

The daemon's door to ``proxycore.net``. Everything is called from the reactor's thread.
"""

import gc
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from proxycore.contract.binding import Binding, bindings
from proxycore.contract.messages import UNTOLD
from proxycore.contract.reasons import CloseReason
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthHttp, Server, Snapshot
from proxycore.contract.snapshot import Resolver as ResolverSettings
from proxycore.dialogue import profile
from proxycore.net.access import Access, Unwanted
from proxycore.net.auth_client import AuthClient
from proxycore.net.auth_desk import AuthDesk
from proxycore.net.back_policy import BackPolicies
from proxycore.net.context import Block, Context
from proxycore.net.door import Door
from proxycore.net.ledger import Ledger, Series
from proxycore.net.listener import Listener
from proxycore.net.log import Log
from proxycore.net.names import is_ip_address, resolve, resolve_all, resolve_later, split_port
from proxycore.net.reactor import Reactor
from proxycore.net.relay import Relay
from proxycore.net.resolver import Resolver
from proxycore.net.sockets import shown_address
from proxycore.net.throttled_desk import ThrottledDesk
from proxycore.net.waiting import Eviction, Survey, Surveyed
from proxycore.policy.auth_cache import KEY_BYTES, AuthCache
from proxycore.policy.login_rates import KEY_BYTES as RATES_KEY_BYTES
from proxycore.policy.login_rates import LoginRates, Memory
from proxycore.policy.trust import UNIX, TrustedPeers

if TYPE_CHECKING:
    from proxycore.net.tls.fronts import Fronts
    from proxycore.net.tls.heap import Heap
    from proxycore.net.tls.tickets import TicketKeys
    from proxycore.net.tls.zone import Zone

_PARTING_S: Final = 60.0

_OWN_RATES_BYTES: Final = 4096
"""For logins counted by a worker that was given nothing in common with others."""

_SWEEP_MOST_S: Final = 5.0
_SWEEP_LEAST_S: Final = 0.1
_SWEEPS_PER_TIMEOUT: Final = 10
"""Idle sessions are found a tenth of ``proxy_timeout`` late at most, or 5 s."""


class Engine:
    """Runs snapshots: accepts, drives, relays, counts."""

    __slots__ = (
        "_access_of",
        "_back_policies",
        "_cache",
        "_clients",
        "_context",
        "_fronts",
        "_heap",
        "_hostname",
        "_listeners",
        "_log_of",
        "_node_token",
        "_rates",
        "_resolvers",
        "_sweep_s",
        "_sweeper",
        "_tickets",
        "_zones",
        "ledger",
    )

    def __init__(  # noqa: PLR0913  (what the daemon decides)
        self,
        reactor: Reactor,
        *,
        boot_id: str,
        hostname: str,
        log: Log,
        node_token: Secret | None,
        log_of: Callable[[str], Log] | None = None,
        access_of: Callable[[str], Access] | None = None,
    ) -> None:
        """``boot_id`` must be this worker's own: session names are made from it.

        log_of: the log of a server block by the block's name, if that is not ``log``.
        access_of: where its access log's lines go, likewise; nowhere unless given.
        """
        self.ledger = Ledger(boot_id)
        """Counts and live sessions."""
        self._context = Context(reactor, log, self.ledger)
        self._context.on_full = self._on_full
        self._context.on_room = self._on_room
        reactor.on_bug = self._context.report_bug
        self._hostname = hostname
        self._log_of = log_of or (lambda _: log)
        unwanted = Unwanted()
        self._access_of = access_of or (lambda _: unwanted)
        self._back_policies = BackPolicies()
        self._node_token = node_token
        self._cache = AuthCache(os.urandom(KEY_BYTES))
        self._clients: dict[AuthHttp, AuthClient] = {}
        self._resolvers: dict[ResolverSettings, Resolver] = {}
        self._listeners: dict[str, Listener] = {}
        self._fronts: Fronts | None = None
        self._heap: Heap | None = None
        self._rates = LoginRates(
            bytearray(os.urandom(RATES_KEY_BYTES)) + bytearray(_OWN_RATES_BYTES)
        )
        self._zones: Mapping[str, Zone] = {}
        self._tickets: TicketKeys | None = None
        self._sweep_s = _SWEEP_MOST_S
        self._sweeper = reactor.call_later(_SWEEP_MOST_S, self._sweep)

    # --- configuration ---

    def apply(self, snapshot: Snapshot, sockets: Mapping[str, socket.socket]) -> None:
        """Run ``snapshot`` from now on.

        sockets: of ``contract.binding``, listening, by key; those not held yet. Taken over.
        Listening sockets no longer named are closed here, unchanged ones stay as they are.
        Sessions keep the server block they were accepted under. Raises ValueError, with nothing
        changed, when a socket is missing. Resolves names of auth services, as nginx does at start.
        """
        bound = bindings(snapshot)
        missing = [key for key in bound if key not in sockets and key not in self._listeners]
        if missing:
            raise ValueError(f"no listening socket for {', '.join(missing)}")
        clients: dict[AuthHttp, AuthClient] = {}
        for server in snapshot.servers:
            if server.auth_http not in clients:
                clients[server.auth_http] = self._client(server.auth_http)
        blocks = [self._block(server, clients[server.auth_http]) for server in snapshot.servers]
        self._begin_tls(blocks)
        doors = {key: self._door(one, blocks) for key, one in bound.items()}
        self.ledger.protocols = {one.name: one.protocol.value for one in snapshot.servers}
        self._context.limit = snapshot.process.worker_connections
        self._context.gate.configure(snapshot.process)
        for auth_http, client in self._clients.items():
            if clients.get(auth_http) is not client:
                client.retire()
        self._clients = clients
        self._back_policies.keep(server.back_tls for server in snapshot.servers)
        self._part_with({server.resolver for server in snapshot.servers})
        self._listen(doors, sockets)
        timeouts_s = [block.idle_s for block in blocks]
        sweep_s = min(timeouts_s, default=_SWEEP_MOST_S) / _SWEEPS_PER_TIMEOUT
        self._sweep_s = max(_SWEEP_LEAST_S, min(_SWEEP_MOST_S, sweep_s))
        self._sweeper.cancel()
        self._sweeper = self._context.reactor.call_later(self._sweep_s, self._sweep)

    def share_rates(self, memory: Memory) -> None:
        """Count logins where all workers do, before the ``apply`` that limits them."""
        self._rates = LoginRates(memory)

    def share_tls(self, zones: "Mapping[str, Zone]", tickets: "TicketKeys | None") -> None:
        """Have what all workers share, before the ``apply`` that needs it.

        zones: caches of TLS sessions by name. tickets: keys of blocks that have none of their own.
        """
        self._zones, self._tickets = zones, tickets
        if self._fronts is not None:
            self._fronts.share(zones, tickets)

    def renew_tickets(self, tickets: "TicketKeys") -> None:
        """Use other ticket keys from now on."""
        self._tickets = tickets
        if self._fronts is not None:
            self._fronts.renew_tickets(tickets)

    def _begin_tls(self, blocks: list[Block]) -> None:
        if self._fronts is None:
            if not any(block.server.speaks_tls for block in blocks):
                return
            # OpenSSL and what calls it are in memory only where somebody speaks TLS
            from proxycore.net.tls.fronts import Fronts
            from proxycore.net.tls.heap import Heap

            self._heap = Heap()
            self._fronts = Fronts()
            self._fronts.share(self._zones, self._tickets)
        self._fronts.begin(blocks)

    def _door(self, one: Binding, blocks: list[Block]) -> Door:
        default, others = blocks[one.server], [blocks[i] for i in one.sharing]
        library = None
        if self._fronts is not None and default.server.speaks_tls:
            library = self._fronts.library(default, others)
        return Door(
            default,
            one.listen,
            {ip: self._door(covered, blocks) for ip, covered in one.covered.items()},
            library=library,
            naming=next((block for block in (default, *others) if block.wants_client_names), None),
        )

    def _block(self, server: Server, client: AuthClient) -> Block:
        names = self.ledger.series(server.name)
        desk = self._desk(server, names, client)
        built, log = profile.build(server, self._hostname), self._log_of(server.name)
        resolver = self._resolver(server)
        trusted, access = self._trusted(server), self._access_of(server.name)
        policy = self._back_policies.policy(server.back_tls)
        return Block(
            self._context, server, built, names, desk, log, resolver, trusted, access, policy
        )

    def _desk(self, server: Server, names: Series, client: AuthClient) -> AuthDesk:
        if server.login_limits.limit_anything:
            return ThrottledDesk(self._context, server, names, client, self._cache, self._rates)
        return AuthDesk(self._context, server, names, client, self._cache)

    def _resolver(self, server: Server) -> Resolver:
        """Give the name servers of a block, which blocks of one setting share."""
        if server.resolver not in self._resolvers:
            settings = replace(server.resolver, addresses=self._name_servers(server))
            self._resolvers[server.resolver] = Resolver(self._context.reactor, settings)
        return self._resolvers[server.resolver]

    def _name_servers(self, server: Server) -> tuple[str, ...]:
        addresses: list[str] = []
        for text in server.resolver.addresses:
            host, port = split_port(text, 53)
            addresses += (shown_address(ip, port) for ip in self._ips(host, "resolver"))
        return tuple(addresses)

    def _trusted(self, server: Server) -> TrustedPeers:
        sources: list[str] = []
        for source in server.set_real_ip_from:
            is_name = source != UNIX and not is_ip_address(source.partition("/")[0])
            sources += self._ips(source, "set_real_ip_from") if is_name else [source]
        return TrustedPeers(sources)

    def _ips(self, host: str, directive: str) -> list[str]:
        """Give the addresses of a name in the configuration; none with a message if it has none."""
        try:
            return resolve_all(host)
        except OSError as problem:
            text = f'host not found in {directive} "{host}" ({problem})'
            self._context.report("error", text)
            return []

    def _client(self, auth_http: AuthHttp) -> AuthClient:
        """Give the client of an auth service: the one there is, unless a name of it has moved."""
        known = self._clients.get(auth_http)
        client = AuthClient(self._context, auth_http, self._node_token)
        unresolved = []
        for i, place in enumerate(client.places):
            try:
                client.settle(i, resolve(place.host, place.port))
            except OSError as problem:
                text = f'auth http server "{place.host}" could not be resolved ({problem})'
                self._context.report("error", text)
                if known is not None:
                    client.settle(i, known.addresses[i])
                else:
                    unresolved.append(i)
        if known is not None and client.addresses == known.addresses:
            return known
        for i in unresolved:
            resolve_later(
                self._context.reactor,
                client.places[i].host,
                client.places[i].port,
                wanted=lambda: not client.retired,
                found=partial(client.settle, i),
            )
        return client

    def _part_with(self, kept: Iterable[ResolverSettings]) -> None:
        """Let go of name servers no block names; sessions that ask them get their answers."""
        for settings in set(self._resolvers) - set(kept):
            resolver = self._resolvers.pop(settings)
            self._context.reactor.call_later(_PARTING_S, resolver.close)

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

    def invalidate(
        self, generation: int, *, since: int = UNTOLD, logins: Iterable[bytes] = ()
    ) -> None:
        """Forget cached verdicts: routes or accounts are now of this generation.

        since, logins: as ``AuthCache.invalidate`` takes them.
        """
        self._cache.invalidate(generation, since=since, logins=logins)

    def renew_token(self, token: Secret) -> None:
        """Prove ourselves with another node token from now on."""
        self._node_token = token
        for client in self._clients.values():
            client.renew_token(token)

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

    @property
    def newest(self) -> int:
        """Number of the newest session, for ``close_sessions``."""
        return self._context.last_number

    def close_sessions(self, reason: CloseReason, *, up_to: int | None = None) -> int:
        """End sessions now; tell how many. Before login the client is told, if it listens.

        up_to: only sessions with this number or an older one.
        """
        last = self._context.last_number if up_to is None else up_to
        drivers = [one for one in self._context.drivers.values() if one.number <= last]
        for driver in drivers:
            driver.stop(reason)
        relays = [relay for relay in self._relays() if relay.number <= last]
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

    def survey(self, most: int, answer: Callable[[Surveyed], None]) -> None:
        """Look at the sessions before login beside all else, then ``answer``.

        most: how many to describe.
        """
        Survey(self._context, most, answer).begin()

    def turn_away(self, address: str, answer: Callable[[int], None]) -> None:
        """Disconnect the sessions before login of an address beside all else, then tell how many.

        address: as ``prelogin.key_of`` gives it.
        """
        Eviction(self._context, address, answer).begin()

    def _relays(self) -> list[Relay]:
        return [live for live in self.ledger.live.values() if isinstance(live, Relay)]

    def _sweep(self) -> None:
        """End sessions that nothing has passed through for their ``proxy_timeout``; and after many
        of them have gone, give their memory back."""
        now = self._context.reactor.now
        for relay in self._relays():
            relay.end_if_idle(now)
        if self._heap is not None:
            self._heap.look(self.ledger.open_count)
        self._sweeper = self._context.reactor.call_later(self._sweep_s, self._sweep)

    def close(self) -> None:
        """Give everything back at once: sockets, sessions, connections, pipes."""
        self.stop_accepting()
        self.close_sessions(CloseReason.SHUTDOWN)
        for driver in list(self._context.drivers.values()):
            driver.stop(CloseReason.SHUTDOWN)
        for client in self._clients.values():
            client.retire()
        for resolver in self._resolvers.values():
            resolver.close()
        self._context.pipes.close()
