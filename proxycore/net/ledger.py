"""What a worker counts and which sessions it holds.

Nothing is reported while octets flow: a session counts its own, and ``take_changes`` sweeps over
all of them when somebody asks, about once a second.
"""

from typing import Final, Protocol

from proxycore.contract import stats
from proxycore.contract.reasons import CloseReason
from proxycore.contract.session import SessionBytes, SessionRecord
from proxycore.contract.stats import series


class Series:
    """The names under which one server block counts, composed once."""

    __slots__ = (
        "accepted",
        "auth_requests",
        "bytes_to_back",
        "bytes_to_front",
        "cache_hits",
        "cache_stale",
        "closed",
        "login_failures",
        "logins",
    )

    def __init__(self, server: str) -> None:
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


class Live(Protocol):
    """A proxied session, as the ledger sees it."""

    number: int
    told_front: int
    told_back: int

    def names(self) -> Series:
        """Give the names to count under. No property, which costs as much as four attributes."""

    def octets(self) -> tuple[int, int]:
        """Octets sent to the client and to the mail server."""

    def record(self, session: str) -> SessionRecord:
        """Describe the session, under its fleet-wide name."""


class Ledger:
    """Totals and live sessions of one worker."""

    __slots__ = ("_boot_id", "_closed", "_opened", "_series", "counts", "live", "open_count")

    def __init__(self, boot_id: str) -> None:
        self._boot_id = boot_id
        self.counts: dict[str, int] = {}
        """Cumulative totals by series name; those of octets are as of the last sweep."""
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

    def leave(self, live: Live) -> None:
        """A proxied session has ended. One that nobody was told of is not mentioned."""
        del self.live[live.number]
        self._settle(live)
        if self._opened.pop(live.number, None) is None:
            self._closed.append(self.name_of(live.number))

    def _settle(self, live: Live) -> bool:
        to_front, to_back = live.octets()
        if to_front == live.told_front and to_back == live.told_back:
            return False
        counts, names = self.counts, live.names()
        counts[names.bytes_to_front] += to_front - live.told_front
        counts[names.bytes_to_back] += to_back - live.told_back
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

    def gauges(self) -> dict[str, int]:
        """Give what is so now, by series name."""
        return {
            stats.SESSIONS_OPEN.name: self.open_count,
            stats.SESSIONS_RELAYING.name: len(self.live),
        }
