"""The catalogue of statistics: every number the daemon reports, with meaning and unit.

Values are cumulative totals since the start of the process that counts (``boot_id`` names it),
never differences: a lost report costs resolution, not counts (ADR-0007). Gauges are marked.
A series is a name plus labels, written ``name{label=value,...}`` in reports.

A histogram is a row of cumulative totals (ADR-0032): how many observations fell into each bucket,
beginning with those up to the first of ``BOUNDS_S``, then those above the last, then the sum of all
in microseconds. Two of them are added number by number.

If you add a stat: declare it here, count it in the daemon, and it appears in reports and docs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

BOUNDS_S: Final = (
    *(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05),
    *(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0),
)
"""Upper ends of the buckets of every histogram, in seconds. A change makes what was kept before
worthless: it needs a new name of the stat."""

HISTOGRAM_SIZE: Final = len(BOUNDS_S) + 2

MOST_BACKENDS: Final = 200
"""Mail servers with series of their own; what is counted of any other is under ``OTHER``."""

OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Stat:
    """One declared statistic."""

    name: str
    help: str
    unit: str = "count"
    labels: tuple[str, ...] = ()
    gauge: bool = False
    histogram: bool = False

    @property
    def metric(self) -> str:
        """Give its name in Prometheus' way: prefix, unit, and what is a counter."""
        name = f"postroad_{self.name}"
        if self.unit == "bytes":
            name = f"{name.replace('bytes_', '')}_bytes"
        elif self.unit == "seconds":
            name = f"{name}_seconds"
        return name if self.gauge or self.histogram else f"{name}_total"


SESSIONS_ACCEPTED: Final = Stat(
    "sessions_accepted",
    "Connections accepted from clients, by the first server block of their socket.",
    labels=("server",),
)
SESSIONS_MOVED_OUT: Final = Stat(
    "sessions_moved_out",
    "Sessions that asked for another server block of their socket by TLS server name.",
    labels=("server",),
)
SESSIONS_MOVED_IN: Final = Stat(
    "sessions_moved_in",
    "Sessions that were accepted by another server block and asked for this one.",
    labels=("server",),
)
SESSIONS_CLOSED: Final = Stat(
    "sessions_closed", "Sessions ended, by cause.", labels=("server", "reason")
)
LOGINS: Final = Stat("logins", "Sessions that reached the mail server.", labels=("server",))
LOGIN_FAILURES: Final = Stat(
    "login_failures", "Credential submissions the auth service refused.", labels=("server",)
)
AUTH_REQUESTS: Final = Stat(
    "auth_requests", "Requests sent to the auth service.", labels=("server",)
)
AUTH_CACHE_HITS: Final = Stat(
    "auth_cache_hits", "Logins decided from the auth cache.", labels=("server",)
)
AUTH_CACHE_STALE: Final = Stat(
    "auth_cache_stale",
    "Logins decided from the auth cache because the auth service was away.",
    labels=("server",),
)
BYTES_TO_FRONT: Final = Stat(
    "bytes_to_front", "Octets sent to clients while proxying.", unit="bytes", labels=("server",)
)
BYTES_TO_BACK: Final = Stat(
    "bytes_to_back", "Octets sent to mail servers while proxying.", unit="bytes", labels=("server",)
)
AUTH_TIME: Final = Stat(
    "auth_time",
    "Wait for the auth service's answer, good or bad; cached verdicts take none.",
    unit="seconds",
    labels=("server",),
    histogram=True,
)
CONNECT_TIME: Final = Stat(
    "connect_time",
    "From the verdict to the first word of the mail server: name look-up, connection, greeting.",
    unit="seconds",
    labels=("server",),
    histogram=True,
)
LOGIN_TIME: Final = Stat(
    "login_time",
    "From the first word of the mail server until it let the login in.",
    unit="seconds",
    labels=("server",),
    histogram=True,
)
BACKEND_LOGINS: Final = Stat(
    "backend_logins", "Sessions that reached this mail server.", labels=("backend",)
)
BACKEND_FAILURES: Final = Stat(
    "backend_failures",
    "Logins that failed at this mail server, by cause.",
    labels=("backend", "reason"),
)
BACKEND_BYTES_TO_FRONT: Final = Stat(
    "backend_bytes_to_front",
    "Octets sent to clients of this mail server.",
    unit="bytes",
    labels=("backend",),
)
BACKEND_BYTES_TO_BACK: Final = Stat(
    "backend_bytes_to_back",
    "Octets sent to this mail server.",
    unit="bytes",
    labels=("backend",),
)
BACKEND_CONNECT_TIME: Final = Stat(
    "backend_connect_time",
    "As `connect_time`, by mail server.",
    unit="seconds",
    labels=("backend",),
    histogram=True,
)
BACKEND_LOGIN_TIME: Final = Stat(
    "backend_login_time",
    "As `login_time`, by mail server.",
    unit="seconds",
    labels=("backend",),
    histogram=True,
)
SESSIONS_OPEN: Final = Stat("sessions_open", "Sessions open now.", gauge=True)
SESSIONS_RELAYING: Final = Stat(
    "sessions_relaying", "Sessions logged in and proxied now.", gauge=True
)
SERVER_SESSIONS: Final = Stat(
    "server_sessions",
    "Sessions logged in and proxied now, by server block.",
    labels=("server",),
    gauge=True,
)
BACKEND_SESSIONS: Final = Stat(
    "backend_sessions",
    "Sessions logged in and proxied now, by mail server.",
    labels=("backend",),
    gauge=True,
)
SERVER_WORKERS: Final = Stat(
    "server_workers",
    "Worker processes that run this server block; tells its protocol.",
    labels=("server", "protocol"),
    gauge=True,
)

CATALOGUE: Final[dict[str, Stat]] = {
    stat.name: stat
    for stat in (
        SESSIONS_ACCEPTED,
        SESSIONS_MOVED_OUT,
        SESSIONS_MOVED_IN,
        SESSIONS_CLOSED,
        LOGINS,
        LOGIN_FAILURES,
        AUTH_REQUESTS,
        AUTH_CACHE_HITS,
        AUTH_CACHE_STALE,
        BYTES_TO_FRONT,
        BYTES_TO_BACK,
        AUTH_TIME,
        CONNECT_TIME,
        LOGIN_TIME,
        BACKEND_LOGINS,
        BACKEND_FAILURES,
        BACKEND_BYTES_TO_FRONT,
        BACKEND_BYTES_TO_BACK,
        BACKEND_CONNECT_TIME,
        BACKEND_LOGIN_TIME,
        SESSIONS_OPEN,
        SESSIONS_RELAYING,
        SERVER_SESSIONS,
        BACKEND_SESSIONS,
        SERVER_WORKERS,
    )
}


def series(stat: Stat, *labels: str) -> str:
    """Name one series of a stat, for instance ``sessions_closed{server=imap,reason=done}``."""
    if not stat.labels:
        return stat.name
    pairs = ",".join(f"{key}={value}" for key, value in zip(stat.labels, labels, strict=True))
    return f"{stat.name}{{{pairs}}}"


def parse_series(name: str) -> tuple[Stat, dict[str, str]]:
    """Split a series name into its stat and labels.

    Raises KeyError for a name that ``series`` never gives: names come over the control link.
    """
    stat, labels = split_series(name)
    return stat, dict(zip(stat.labels, labels, strict=True))


@lru_cache(maxsize=20_000)
def split_series(name: str) -> tuple[Stat, tuple[str, ...]]:
    """Split a series name into its stat and the values of its labels; as ``parse_series``.

    Remembered: the same few hundred names come with every report.
    """
    bare, brace, rest = name.partition("{")
    stat = CATALOGUE[bare]
    inside = rest[:-1]
    if "{" in inside or "}" in inside:
        raise KeyError(name)
    pairs = [pair.partition("=") for pair in inside.split(",")] if brace else []
    labels = tuple(value for _, _, value in pairs)
    if tuple(key for key, _, _ in pairs) != stat.labels or series(stat, *labels) != name:
        raise KeyError(name)
    return stat, labels


def label_of(text: str) -> str:
    """Give what may stand as a label: no mark of ``series``, nothing unprintable, 128 letters."""
    safe = (letter if letter.isprintable() and letter not in "{},=" else "_" for letter in text)
    return "".join(safe)[:128]


def added(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """Add two histograms."""
    return [a + b for a, b in zip(one, other, strict=True)]


def observations(histogram: Sequence[int]) -> int:
    """Give how often something was observed."""
    return sum(histogram[:-1])


def quantile_s(histogram: Sequence[int], share: float) -> float | None:
    """Estimate a quantile in seconds, evenly spread within its bucket; None of nothing.

    share: 0.95 for the 95th percentile. What is above the last bound is told as that bound.
    """
    buckets = histogram[:-1]
    wanted = share * sum(buckets)
    if not any(buckets):
        return None
    below = 0
    for i, count in enumerate(buckets[:-1]):
        if count and below + count >= wanted:
            floor = BOUNDS_S[i - 1] if i else 0.0
            return floor + (BOUNDS_S[i] - floor) * max(0.0, wanted - below) / count
        below += count
    return BOUNDS_S[-1]
