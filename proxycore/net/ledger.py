"""What a worker counts and which sessions it holds.

Nothing is reported while octets flow: a session counts its own, and ``take_changes`` sweeps over
all of them when somebody asks, about once a second.
"""

from bisect import bisect_left
from functools import lru_cache
from typing import Final

from proxycore.contract import stats
from proxycore.contract.reasons import CloseReason
from proxycore.contract.session import SessionBytes, SessionRecord
from proxycore.contract.stats import BOUNDS_S, HISTOGRAM_SIZE, OTHER, label_of, series

MOST_BACKENDS: Final = 500
"""Mail servers a worker counts by name, so that a wrong auth service costs no memory without end.
More than the node tells of, whose choice has to be the same for all its workers."""

Histogram = list[float]
"""As in ``contract.stats``, but for the sum, which is of seconds."""

_BOUNDS_S: Final = list(BOUNDS_S)
"""A tuple that is known when mypyc compiles is made anew wherever it is named."""

_named: Final = lru_cache(maxsize=20_000)(series)


def observe(histogram: Histogram, seconds: float) -> None:
    """Count one observation."""
    histogram[bisect_left(_BOUNDS_S, seconds)] += 1
    histogram[-1] += seconds


class Series:
    """What one server block counts: names, composed once, its histograms and its sessions."""

    __slots__ = (
        "accepted",
        "auth_requests",
        "auth_time",
        "bytes_to_back",
        "bytes_to_front",
        "cache_hits",
        "cache_stale",
        "closed",
        "login_failures",
        "logins",
        "moved_in",
        "moved_out",
        "server",
        "ways",
    )

    def __init__(self, server: str) -> None:
        self.server: Final = server
        self.accepted: Final = series(stats.SESSIONS_ACCEPTED, server)
        self.logins: Final = series(stats.LOGINS, server)
        self.login_failures: Final = series(stats.LOGIN_FAILURES, server)
        self.auth_requests: Final = series(stats.AUTH_REQUESTS, server)
        self.cache_hits: Final = series(stats.AUTH_CACHE_HITS, server)
        self.cache_stale: Final = series(stats.AUTH_CACHE_STALE, server)
        self.bytes_to_front: Final = series(stats.BYTES_TO_FRONT, server)
        self.bytes_to_back: Final = series(stats.BYTES_TO_BACK, server)
        self.closed: Final = {
            reason: series(stats.SESSIONS_CLOSED, server, reason.value) for reason in CloseReason
        }
        self.moved_out: Final = series(stats.SESSIONS_MOVED_OUT, server)
        self.moved_in: Final = series(stats.SESSIONS_MOVED_IN, server)
        self.auth_time: Histogram = _empty()
        self.ways: dict[str, Way] = {}
        """By address and port of the mail server."""

    def way(self, backend: str) -> "Way":
        """Give the way to a mail server; one too many shares one with all others of these."""
        found = self.ways.get(backend)
        if found is None:
            place = backend if len(self.ways) < MOST_BACKENDS else OTHER
            found = self.ways.get(place)
            if found is None:
                found = self.ways[place] = Way(self.server, label_of(place))
        return found

    def plain(self) -> tuple[str, ...]:
        """Give the names that are reported from the start, as zero."""
        return (
            self.accepted,
            self.logins,
            self.login_failures,
            self.auth_requests,
            self.cache_hits,
            self.cache_stale,
            self.bytes_to_front,
            self.bytes_to_back,
        )


class Way:
    """What is counted of the sessions of one server block with one mail server.

    The report adds ways up by server block and by mail server, so that a login counts once.
    """

    __slots__ = (
        "backend",
        "bytes_to_back",
        "bytes_to_front",
        "connect_time",
        "failures",
        "login_time",
        "logins",
        "relaying",
        "server",
    )

    def __init__(self, server: str, backend: str) -> None:
        self.server: Final = server
        self.backend: Final = backend
        self.logins = 0
        self.failures: dict[CloseReason, int] = {}
        self.bytes_to_front = 0
        self.bytes_to_back = 0
        self.connect_time: Histogram = _empty()
        self.login_time: Histogram = _empty()
        self.relaying = 0
        """Sessions that are proxied now."""

    def logged_in(self, connect_s: float, login_s: float) -> None:
        """Count a session that reached the mail server, with what it took."""
        self.logins += 1
        times = self.connect_time
        times[bisect_left(_BOUNDS_S, connect_s)] += 1
        times[-1] += connect_s
        times = self.login_time
        times[bisect_left(_BOUNDS_S, login_s)] += 1
        times[-1] += login_s

    def failed(self, reason: CloseReason) -> None:
        """Count a login that failed at the mail server."""
        self.failures[reason] = self.failures.get(reason, 0) + 1

    def add_to(self, counts: dict[str, int], histograms: dict[str, list[int]]) -> None:
        """Add this to the totals of its server block and of its mail server."""
        server, backend = self.server, self.backend
        for stat, value in (
            (stats.BACKEND_LOGINS, self.logins),
            (stats.BACKEND_BYTES_TO_FRONT, self.bytes_to_front),
            (stats.BACKEND_BYTES_TO_BACK, self.bytes_to_back),
        ):
            _add(counts, _named(stat, backend), value)
        for reason, value in self.failures.items():
            _add(counts, _named(stats.BACKEND_FAILURES, backend, reason.value), value)
        for stat, label, times in (
            (stats.CONNECT_TIME, server, self.connect_time),
            (stats.LOGIN_TIME, server, self.login_time),
            (stats.BACKEND_CONNECT_TIME, backend, self.connect_time),
            (stats.BACKEND_LOGIN_TIME, backend, self.login_time),
        ):
            name, told = _named(stat, label), _told(times)
            known = histograms.get(name)
            histograms[name] = told if known is None else stats.added(known, told)


def _empty() -> Histogram:
    return [0] * HISTOGRAM_SIZE


def _told(times: Histogram) -> list[int]:
    return [*map(int, times[:-1]), int(times[-1] * 1_000_000)]


def _add(counts: dict[str, int], name: str, value: int) -> None:
    counts[name] = counts.get(name, 0) + value


class Live:
    """A proxied session, as the ledger sees it. A class and no protocol: what is asked of an
    unknown object costs a compiled worker ten times as much."""

    __slots__ = ("number", "told_back", "told_front", "way")

    number: int
    told_front: int
    told_back: int
    way: Way

    def names(self) -> Series:
        """Give the names to count under. No property, which costs as much as four attributes."""
        raise NotImplementedError

    def octets(self) -> tuple[int, int]:
        """Octets sent to the client and to the mail server."""
        raise NotImplementedError

    def record(self, session: str) -> SessionRecord:
        """Describe the session, under its fleet-wide name."""
        raise NotImplementedError


class Ledger:
    """Totals and live sessions of one worker."""

    __slots__ = (
        "_boot_id",
        "_closed",
        "_opened",
        "_series",
        "counts",
        "live",
        "open_count",
        "protocols",
    )

    def __init__(self, boot_id: str) -> None:
        self._boot_id = boot_id
        self.counts: dict[str, int] = {}
        """Cumulative totals by series name, but for those of mail servers; those of octets are as
        of the last sweep."""
        self.protocols: dict[str, str] = {}
        """Of the server blocks that run now, by name."""
        self.open_count = 0
        """Connections of clients, logged in or not."""
        self.live: dict[int, Live] = {}
        self._series: dict[str, Series] = {}
        self._opened: dict[int, Live] = {}
        self._closed: list[str] = []

    def series(self, server: str) -> Series:
        """Give the series of a server block; a renamed or removed one keeps its totals."""
        if server not in self._series:
            self._series[server] = names = Series(server)
            self.counts.update((name, 0) for name in names.plain() if name not in self.counts)
        return self._series[server]

    def move(self, former: Series, names: Series) -> None:
        """A session goes on as one of another server block."""
        if former is not names:
            for name in (former.moved_out, names.moved_in):
                self.counts[name] = self.counts.get(name, 0) + 1

    def closed(self, names: Series, reason: CloseReason) -> None:
        """Count the end of a session."""
        name = names.closed[reason]
        self.counts[name] = self.counts.get(name, 0) + 1

    # --- live sessions ---

    def name_of(self, number: int) -> str:
        """Give a session's fleet-wide name."""
        return f"{self._boot_id}.{number}"

    def number_of(self, session: str) -> int | None:
        """Give the number behind a name; None when the session is not of this worker."""
        boot_id, _, number = session.rpartition(".")
        return int(number) if boot_id == self._boot_id and number.isdecimal() else None

    def enter(self, live: Live) -> None:
        """A session is proxied from now on."""
        self.live[live.number] = live
        self._opened[live.number] = live
        live.way.relaying += 1

    def leave(self, live: Live) -> None:
        """A proxied session has ended. One that nobody was told of is not mentioned."""
        del self.live[live.number]
        live.way.relaying -= 1
        self._settle(live)
        if self._opened.pop(live.number, None) is None:
            self._closed.append(self.name_of(live.number))

    def _settle(self, live: Live) -> bool:
        to_front, to_back = live.octets()
        if to_front == live.told_front and to_back == live.told_back:
            return False
        counts, names, way = self.counts, live.names(), live.way
        more_front, more_back = to_front - live.told_front, to_back - live.told_back
        counts[names.bytes_to_front] += more_front
        counts[names.bytes_to_back] += more_back
        way.bytes_to_front += more_front
        way.bytes_to_back += more_back
        live.told_front, live.told_back = to_front, to_back
        return True

    def take_changes(self) -> tuple[list[SessionRecord], list[SessionBytes], list[str]]:
        """Take what happened since the last call: sessions begun, octets, sessions ended.

        Brings the totals of octets in ``counts`` up to date. A session that began and ended in
        between is in none of the lists, only in the totals.
        """
        counted = [
            SessionBytes(
                session=self.name_of(live.number),
                bytes_to_front=live.told_front,
                bytes_to_back=live.told_back,
            )
            for live in self.live.values()
            if self._settle(live) and live.number not in self._opened
        ]
        opened = [live.record(self.name_of(live.number)) for live in self._opened.values()]
        closed, self._closed = self._closed, []
        self._opened = {}
        return opened, counted, closed

    def records(self) -> list[SessionRecord]:
        """Describe every live session. Does not count as having told of them."""
        return [live.record(self.name_of(live.number)) for live in self.live.values()]

    def totals(self) -> tuple[dict[str, int], dict[str, list[int]]]:
        """Give all that was counted, and all histograms, by series name."""
        counts = dict(self.counts)
        histograms: dict[str, list[int]] = {}
        for names in self._series.values():
            histograms[_named(stats.AUTH_TIME, names.server)] = _told(names.auth_time)
            for way in names.ways.values():
                way.add_to(counts, histograms)
        return counts, histograms

    def gauges(self) -> dict[str, int]:
        """Give what is so now, by series name."""
        gauges = {
            stats.SESSIONS_OPEN.name: self.open_count,
            stats.SESSIONS_RELAYING.name: len(self.live),
        }
        for server, protocol in self.protocols.items():
            gauges[_named(stats.SERVER_WORKERS, server, protocol)] = 1
        for names in self._series.values():
            ways = names.ways.values()
            relaying = sum(way.relaying for way in ways)
            gauges[_named(stats.SERVER_SESSIONS, names.server)] = relaying
            for way in ways:
                _add(gauges, _named(stats.BACKEND_SESSIONS, way.backend), way.relaying)
        return gauges
