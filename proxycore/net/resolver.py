"""Names and addresses from name servers, on the reactor (ADR-0012).

c-ares keeps the packets: retries, rotation, TCP for long answers. Here are the cache, the sharing
of look-ups under way, and the time each asker gives one. What was asked and failed for lack of an
answer is not remembered; that a name does not exist is, for ``NEGATIVE_S``.
"""

import ipaddress
import socket
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from proxycore.contract.snapshot import Resolver as Settings
from proxycore.net.reactor import READ, WRITE, Reactor
from proxycore.net.timers import Timer

if TYPE_CHECKING:
    import pycares

NEGATIVE_S: Final = 10.0
"""nginx's: how long a name is known not to exist, unless ``valid`` says so."""
CAPACITY: Final = 4096
"""Answers remembered per worker and set of name servers; the least recently used goes."""
MOST_PENDING: Final = 1024
"""Look-ups under way; more are answered as a name server that fails is."""

_TRY_S: Final = 2.0
_TRIES: Final = 3
_LONGEST_S: Final = 86_400

NOT_FOUND: Final = 3
_SERVER_FAILURE: Final = 2
_TIMED_OUT: Final = 110
_REASONS: Final = {
    1: "Format error",
    _SERVER_FAILURE: "Server failure",
    NOT_FOUND: "Host not found",
    4: "Unimplemented",
    5: "Operation refused",
    _TIMED_OUT: "Operation timed out",
}
"""nginx's numbers and words, for its log messages."""


class Answer:
    """What is known of a name: names or addresses, or why there are none."""

    __slots__ = ("code", "found")

    def __init__(self, code: int, found: tuple[str, ...] = ()) -> None:
        self.code = code
        """0, or nginx's number of the failure."""
        self.found = found

    @property
    def reason(self) -> str:
        """Say the failure as nginx does: ``3: Host not found``."""
        return f"{self.code}: {_REASONS.get(self.code, 'Unknown error')}"


Told = Callable[[Answer], None]


class Lookup:
    """One asker waiting for an answer."""

    __slots__ = ("_told", "early", "timer")

    def __init__(self, told: Told) -> None:
        self._told: Told | None = told
        self.early: Answer | None = None
        """What was known before the question had been put."""
        self.timer: Timer | None = None

    def tell(self, answer: Answer) -> None:
        """Give the answer, once."""
        told = self._told
        self.cancel()
        if told is not None:
            told(answer)

    def cancel(self) -> None:
        """Nobody waits any more; the look-up goes on for the cache."""
        self._told = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


_Key = tuple[str, str]


class Resolver:
    """Asks the name servers of one ``resolver``, or those of the system."""

    __slots__ = ("_cache", "_channel", "_pending", "_reactor", "_settings", "_ticking", "_watched")

    def __init__(self, reactor: Reactor, settings: Settings) -> None:
        """``settings``: without addresses, the system's own name servers and hosts file."""
        self._reactor = reactor
        self._settings = settings
        self._cache: OrderedDict[_Key, tuple[Answer, float]] = OrderedDict()
        self._pending: dict[_Key, list[Lookup]] = {}
        self._watched: dict[int, int] = {}
        self._ticking: Timer | None = None
        self._channel: pycares.Channel | None = None
        if settings.addresses:
            # loading it takes long, and would keep sessions waiting later
            self._open()

    # --- asking ---

    def names_of(self, ip: str, timeout_s: float, told: Told) -> Answer | Lookup:
        """Look for the names of an address: an answer known already, or ``told`` later."""
        return self._ask(("PTR", ipaddress.ip_address(ip).reverse_pointer), timeout_s, told)

    def addresses_of(self, name: str, timeout_s: float, told: Told) -> Answer | Lookup:
        """Look for the addresses of a host name."""
        return self._ask(("A", name.rstrip(".").lower()), timeout_s, told)

    def _ask(self, key: _Key, timeout_s: float, told: Told) -> Answer | Lookup:
        known = self._known(key)
        if known is not None:
            return known
        lookup = Lookup(told)
        waiting = self._pending.get(key)
        if waiting is not None:
            waiting.append(lookup)
        else:
            if len(self._pending) >= MOST_PENDING:
                return Answer(_SERVER_FAILURE)
            self._pending[key] = [lookup]
            self._start(key)
            if lookup.early is not None:
                # c-ares knew it at once; whoever asks is told by the return, not from within
                return lookup.early
        lookup.timer = self._reactor.call_later(timeout_s, lambda: lookup.tell(Answer(_TIMED_OUT)))
        return lookup

    def _known(self, key: _Key) -> Answer | None:
        entry = self._cache.get(key)
        if entry is None:
            return None
        answer, until = entry
        if until <= self._reactor.now:
            del self._cache[key]
            return None
        self._cache.move_to_end(key)
        return answer

    # --- answers ---

    def _start(self, key: _Key) -> None:
        import pycares

        kind, name = key
        channel = self._open()
        try:
            if kind == "PTR":
                channel.query(
                    name,
                    pycares.QUERY_TYPE_PTR,
                    callback=partial(self._on_names, key),
                )
            else:
                channel.getaddrinfo(
                    name,
                    None,
                    family=self._family(),
                    callback=partial(self._on_addresses, key),
                )
        except (pycares.AresError, ValueError):
            # no name a name server could be asked for
            self._answer(key, Answer(1), 0.0)
        self._tick()

    def _family(self) -> socket.AddressFamily:
        if self._settings.ipv4 and self._settings.ipv6:
            return socket.AF_UNSPEC
        return socket.AF_INET if self._settings.ipv4 else socket.AF_INET6

    def _on_names(self, key: _Key, result: Any, error: int | None) -> None:
        import pycares

        if error:
            self._failed(key, error)
            return
        records = [one for one in result.answer if one.type == pycares.QUERY_TYPE_PTR]
        if not records:
            # an alias alone is not followed, as in nginx
            self._answer(key, Answer(_SERVER_FAILURE), 0.0)
            return
        names = tuple(str(one.data.dname) for one in records)
        self._answer(key, Answer(0, names), min(one.ttl for one in records))

    def _on_addresses(self, key: _Key, result: Any, error: int | None) -> None:
        if error:
            self._failed(key, error)
            return
        found = tuple(dict.fromkeys(_address(node.addr[0]) for node in result.nodes))
        ttl_s = min((node.ttl for node in result.nodes), default=0)
        self._answer(key, Answer(0, found) if found else Answer(NOT_FOUND), ttl_s)

    def _failed(self, key: _Key, error: int) -> None:
        from pycares import errno

        code = {
            errno.ARES_ENOTFOUND: NOT_FOUND,
            errno.ARES_ENODATA: NOT_FOUND,
            errno.ARES_EFORMERR: 1,
            errno.ARES_ENOTIMP: 4,
            errno.ARES_EREFUSED: 5,
            errno.ARES_ETIMEOUT: _TIMED_OUT,
        }.get(error, _SERVER_FAILURE)
        self._answer(key, Answer(code), NEGATIVE_S if code == NOT_FOUND else 0.0)

    def _answer(self, key: _Key, answer: Answer, ttl_s: float) -> None:
        if answer.code in (0, NOT_FOUND):
            kept_s = self._settings.valid_ms / 1000 or min(ttl_s, _LONGEST_S)
            self._cache[key] = (answer, self._reactor.now + kept_s)
            self._cache.move_to_end(key)
            if len(self._cache) > CAPACITY:
                self._cache.popitem(last=False)
        for lookup in self._pending.pop(key, ()):
            self._tell(lookup, answer)

    def _tell(self, lookup: Lookup, answer: Answer) -> None:
        if lookup.timer is None:
            lookup.early = answer
            return
        lookup.timer.cancel()
        # c-ares must not be called from within its own callback, nor see an exception
        self._reactor.wake(lambda: lookup.tell(answer))

    # --- the packets ---

    def _open(self) -> "pycares.Channel":
        if self._channel is None:
            import pycares

            servers = list(self._settings.addresses)
            own: dict[str, Any] = {"lookups": "b", "ndots": 0} if servers else {}
            self._channel = pycares.Channel(
                sock_state_cb=self._on_socket,
                timeout=_TRY_S,
                tries=_TRIES,
                rotate=bool(servers),
                flags=pycares.ARES_FLAG_NOSEARCH if servers else None,
                servers=servers or None,
                **own,
            )
        return self._channel

    def _on_socket(self, fd: int, readable: bool, writable: bool) -> None:
        mask = (READ if readable else 0) | (WRITE if writable else 0)
        known = self._watched.get(fd)
        if not mask:
            if known is not None:
                del self._watched[fd]
                self._reactor.forget(fd)
        elif known is None:
            self._watched[fd] = mask
            self._reactor.watch(fd, mask, self._on_ready)
        elif known != mask:
            self._watched[fd] = mask
            self._reactor.change(fd, mask)

    def _on_ready(self, fd: int, events: int) -> None:
        import pycares

        if self._channel is None:
            return
        broken = not events & (READ | WRITE)
        self._channel.process_fd(
            fd if events & READ or broken else pycares.ARES_SOCKET_BAD,
            fd if events & WRITE else pycares.ARES_SOCKET_BAD,
        )
        self._tick()

    def _tick(self) -> None:
        """Have c-ares look at its clock when it wants to."""
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        if self._channel is not None and self._pending:
            wait_s: float = self._channel.timeout(1.0)  # type: ignore[no-untyped-call]
            self._ticking = self._reactor.call_later(wait_s, self._on_tick)

    def _on_tick(self) -> None:
        import pycares

        self._ticking = None
        if self._channel is not None:
            self._channel.process_fd(pycares.ARES_SOCKET_BAD, pycares.ARES_SOCKET_BAD)
            self._tick()

    def close(self) -> None:
        """Ask no more. Who still waits is told that there was no time."""
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        channel, self._channel = self._channel, None
        if channel is not None:
            # in this thread, so that no socket is left for another one to close
            channel.cancel()
            for fd in list(self._watched):
                del self._watched[fd]
                self._reactor.forget(fd)
            channel.close()
        self._pending.clear()


def _address(text: Any) -> str:
    return text.decode() if isinstance(text, bytes) else str(text)
