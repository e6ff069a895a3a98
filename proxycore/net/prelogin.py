"""How many sessions may be waiting to log in: from one address, and in all of this worker.

A session counts from its accept until it is relayed or its connection is closed, TLS handshake and
PROXY header included. The count in all is that of ``Context.drivers`` itself, so it cannot drift;
the counts by address change only together with it (``Context.enter``, ``rename``, ``leave``).
"""

import socket
from functools import lru_cache
from heapq import nlargest
from operator import itemgetter
from typing import Final

from proxycore.contract.process import UNIX, Process
from proxycore.policy.pace import Pace
from proxycore.policy.trust import TrustedPeers

_MAPPED: Final = bytes(10) + b"\xff\xff"


FAIR_SHARE: Final = 100
"""Sessions before login one client may have while half of all places are taken, if no number is
configured. Before that nobody is in anybody's way, and behind a balancer everybody has one address.
"""

HANDSHAKES_PER_S: Final = 500
HANDSHAKES_AT_ONCE: Final = 1000
"""TLS handshakes a worker does for all; one costs about a millisecond."""

FAIR_HANDSHAKES_PER_S: Final = 50
FAIR_HANDSHAKES_AT_ONCE: Final = 100
"""Beyond that, those of one client, while its further ones wait for their turn: a client that does
nothing else has a twentieth of a worker."""

_ALL: Final = ""


class Gate:
    """The limits, and the sessions of each address."""

    __slots__ = (
        "_by_address",
        "_crowded",
        "_exempt",
        "_full",
        "_most",
        "_most_per_address",
        "_reached",
        "all_handshakes",
        "pace",
    )

    def __init__(self) -> None:
        self._by_address: dict[str, int] = {}
        self._reached: set[str] = set()
        """Addresses whose limit was reached and told of, until all their sessions are gone."""
        self._full = False
        self._most = 0
        self._most_per_address = 0
        self._exempt = TrustedPeers(())
        self._crowded = 0
        """As many sessions, and the fair share holds."""
        self.all_handshakes = Pace(HANDSHAKES_PER_S, HANDSHAKES_AT_ONCE)
        """Of all TLS handshakes."""
        self.pace = Pace(FAIR_HANDSHAKES_PER_S, FAIR_HANDSHAKES_AT_ONCE)
        """Of one client's TLS handshakes, once the worker does as many as it can."""

    def configure(self, process: Process) -> None:
        """Take these limits from now on; sessions there are stay."""
        self._most = process.prelogin_sessions
        self._most_per_address = process.prelogin_sessions_per_address
        self._crowded = (process.prelogin_sessions or process.worker_connections) // 2
        self._exempt = TrustedPeers(process.prelogin_exempt)

    def exceeded(self, address: str, waiting: int) -> str:
        """Tell which limit one more session from here would exceed; empty: none.

        waiting: sessions before login now, this one not among them. The answer is the setting's
        name and its value, as the log has it.
        """
        if self._most and waiting >= self._most:
            limit = f"prelogin_sessions {self._most}"
        elif not address or address == UNIX:
            return ""
        elif self._most_per_address:
            if self._by_address.get(key_of(address), 0) < self._most_per_address:
                return ""
            limit = f"prelogin_sessions_per_address {self._most_per_address}"
        elif waiting >= self._crowded and self._by_address.get(key_of(address), 0) >= FAIR_SHARE:
            limit = f"prelogin_sessions_per_address, {FAIR_SHARE} while others wait"
        else:
            return ""
        return "" if address and address in self._exempt else limit

    def handshake_wait_s(self, address: str, now: float) -> float:
        """Count one more TLS handshake of an address; tell how long it has to wait."""
        if not address or address == UNIX or self.all_handshakes.lets_through(_ALL, now):
            return 0.0
        if address in self._exempt:
            return 0.0
        return self.pace.wait_s(key_of(address), now)

    def is_news(self, address: str, limit: str, waiting: int) -> bool:
        """Tell whether an operator has not been told yet that this limit is reached here.

        Told again when it was half empty in between, or the address had gone: a flood is one line.
        """
        if not limit.startswith("prelogin_sessions_per_address"):
            known, self._full = self._full and waiting > self._most // 2, True
            return not known
        key = key_of(address)
        if key in self._reached:
            return False
        self._reached.add(key)
        return True

    def count(self, address: str) -> None:
        """One more session of this address has not logged in."""
        key = key_of(address) if ":" in address else address
        self._by_address[key] = self._by_address.get(key, 0) + 1

    def release(self, address: str) -> None:
        """One less; it was counted under this address."""
        key = key_of(address) if ":" in address else address
        left = self._by_address[key] - 1
        if left:
            self._by_address[key] = left
        else:
            del self._by_address[key]
            self._reached.discard(key)

    def most(self, number: int) -> list[tuple[str, int]]:
        """Give the addresses that have most sessions, with how many."""
        return nlargest(number, self._by_address.items(), key=itemgetter(1))

    @property
    def counts(self) -> dict[str, int]:
        """Sessions by address, those with none left out; for tests and diagnosis."""
        return dict(self._by_address)


def key_of(address: str) -> str:
    """Give what is counted as one client: an IPv4 address, the /64 of an IPv6 one."""
    return _network(address) if ":" in address and address != UNIX else address


@lru_cache(maxsize=4096)
def _network(address: str) -> str:
    octets = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    if octets.startswith(_MAPPED):
        return socket.inet_ntop(socket.AF_INET, octets[12:])
    return socket.inet_ntop(socket.AF_INET6, octets[:8] + bytes(8)) + "/64"
