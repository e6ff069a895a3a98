"""What the parts of a worker share: one reactor, one log, one ledger, one pool of pipes."""

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from proxycore.contract.snapshot import Server
from proxycore.dialogue.profile import Profile
from proxycore.net.access import Access
from proxycore.net.back_policy import BackPolicy
from proxycore.net.ledger import Ledger, Series
from proxycore.net.log import LEVELS, Log, escaped
from proxycore.net.pipes import PipePool
from proxycore.net.prelogin import Gate
from proxycore.net.reactor import Reactor
from proxycore.policy.trust import TrustedPeers

if TYPE_CHECKING:
    from proxycore.net.arrival import Arrival
    from proxycore.net.auth_desk import AuthDesk
    from proxycore.net.driver import Driver
    from proxycore.net.resolver import Resolver


def _nothing() -> None:
    pass


class Context:
    """The worker as a session sees it."""

    __slots__ = (
        "_bugs",
        "_last_number",
        "drivers",
        "full",
        "gate",
        "ledger",
        "limit",
        "log",
        "on_full",
        "on_room",
        "pipes",
        "reactor",
    )

    def __init__(self, reactor: Reactor, log: Log, ledger: Ledger) -> None:
        self.reactor = reactor
        self.log = log
        self.ledger = ledger
        self.pipes = PipePool()
        self.drivers: dict[int, Driver | Arrival] = {}
        """Sessions that have not logged in, by number; changed by ``enter`` and ``leave`` only."""
        self.gate = Gate()
        self.limit = 0
        """Sessions taken at the same time (``worker_connections``)."""
        self.full = False
        """The limit is reached and nothing is accepted."""
        self.on_full: Callable[[], None] = _nothing
        """Told when the limit is reached."""
        self.on_room: Callable[[], None] = _nothing
        """Told when a session has ended while ``full``."""
        self._last_number = 0
        self._bugs: set[tuple[str, str, int]] = set()

    def next_number(self) -> int:
        """Number a new session; nginx's connection number in the log."""
        self._last_number += 1
        return self._last_number

    @property
    def last_number(self) -> int:
        """The number of the newest session."""
        return self._last_number

    # --- before login ---

    def enter(self, session: "Driver | Arrival", address: str) -> None:
        """A session begins that has not logged in; it is counted under this address, if any."""
        self.drivers[session.number] = session
        if address:
            self.gate.count(address)

    def rename(self, former: str, address: str) -> None:
        """A session is to be counted under another address."""
        if former:
            self.gate.release(former)
        self.gate.count(address)

    def leave(self, number: int, address: str) -> None:
        """It has logged in, or is no more."""
        del self.drivers[number]
        if address:
            self.gate.release(address)

    def become_full(self) -> None:
        """The limit is reached: nothing is accepted until a session ends."""
        self.full = True
        self.report("warn", f"{self.limit} worker_connections are in use")
        self.on_full()

    def session_gone(self) -> None:
        """A client's connection is no more."""
        self.ledger.open_count -= 1
        if self.full:
            self.full = False
            self.on_room()

    def report(self, level: str, message: str) -> None:
        """Write a line that concerns no session."""
        if LEVELS[level] <= self.log.threshold:
            self.log.write(level, message)

    def report_bug(self, bug: Exception) -> None:
        """Log a fault of ours: the first time at a place with its traceback, then in short."""
        frames = traceback.extract_tb(bug.__traceback__)
        last = frames[-1] if frames else None
        place = (type(bug).__name__, last.filename, last.lineno or 0) if last else ("?", "", 0)
        text = f"internal error: {type(bug).__name__} at {place[1]}:{place[2]}"
        if isinstance(bug, AssertionError | OSError):
            # the message of any other exception may quote what a client sent
            text = f"{text}: {str(bug)[:200]}"
        if place not in self._bugs:
            self._bugs.add(place)
            steps = " < ".join(f"{f.name} ({f.filename}:{f.lineno})" for f in reversed(frames))
            text = f"{text}, traceback: {steps}"
        self.report("crit", escaped(text))


class Block:
    """A server block as it runs; a session keeps the one it was accepted under."""

    __slots__ = (
        "access",
        "back_policy",
        "context",
        "desk",
        "idle_s",
        "log",
        "names",
        "places",
        "profile",
        "resolver",
        "server",
        "trusted",
        "wants_client_names",
    )

    def __init__(  # noqa: PLR0913  (a record)
        self,
        context: Context,
        server: Server,
        profile: Profile,
        names: Series,
        desk: "AuthDesk",
        log: Log,
        resolver: "Resolver",
        trusted: TrustedPeers,
        access: Access,
        back_policy: BackPolicy,
    ) -> None:
        self.context = context
        self.access = access
        self.back_policy = back_policy
        """TLS towards mail servers."""
        self.log = log
        self.server = server
        self.profile = profile
        self.names = names
        self.desk = desk
        self.places: dict[str, str] = {}
        """By ``listen``: what the access log says of it."""
        self.resolver = resolver
        self.trusted = trusted
        """Whose PROXY header tells the client's address."""
        self.wants_client_names = profile.sends_client_host and bool(server.resolver.addresses)
        self.idle_s = server.proxy_timeout_ms / 1000
