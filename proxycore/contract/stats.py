"""The catalogue of statistics: every number the daemon reports, with meaning and unit.

Values are cumulative totals since the start of the process that counts (``boot_id`` names it),
never differences: a lost report costs resolution, not counts (ADR-0007). Gauges are marked.
A series is a name plus labels, written ``name{label=value,...}`` in reports.

If you add a stat: declare it here, count it in the daemon, and it appears in reports and docs.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Stat:
    """One declared statistic."""

    name: str
    help: str
    unit: str = "count"
    labels: tuple[str, ...] = ()
    gauge: bool = False


SESSIONS_ACCEPTED: Final = Stat(
    "sessions_accepted", "Connections accepted from clients.", labels=("server",)
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
SESSIONS_OPEN: Final = Stat("sessions_open", "Sessions open now.", gauge=True)
SESSIONS_RELAYING: Final = Stat(
    "sessions_relaying", "Sessions logged in and proxied now.", gauge=True
)

CATALOGUE: Final[dict[str, Stat]] = {
    stat.name: stat
    for stat in (
        SESSIONS_ACCEPTED,
        SESSIONS_CLOSED,
        LOGINS,
        LOGIN_FAILURES,
        AUTH_REQUESTS,
        AUTH_CACHE_HITS,
        AUTH_CACHE_STALE,
        BYTES_TO_FRONT,
        BYTES_TO_BACK,
        SESSIONS_OPEN,
        SESSIONS_RELAYING,
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
    bare, brace, rest = name.partition("{")
    stat = CATALOGUE[bare]
    inside = rest[:-1]
    if "{" in inside or "}" in inside:
        raise KeyError(name)
    pairs = [pair.partition("=") for pair in inside.split(",")] if brace else []
    labels = {key: value for key, _, value in pairs}
    if tuple(key for key, _, _ in pairs) != stat.labels or series(stat, *labels.values()) != name:
        raise KeyError(name)
    return stat, labels
