"""What concerns the daemon's processes, and where it writes messages for people."""

import ipaddress
from dataclasses import dataclass
from typing import Final

from proxycore.contract.codec import Problem
from proxycore.contract.fields import setting

_LINE_SAFE = r"[^\x00-\x1f\x7f]*"

FACILITIES: Final = (
    *("kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp", "clock"),
    *("authpriv", "ftp", "ntp", "audit", "alert", "cron"),
    *("local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"),
)
"""Facilities of syslog in the order of their numbers, by nginx's names."""

SYSLOG: Final = "syslog:"
"""What the target of a log begins with that goes to a syslog server."""

UNIX: Final = "unix:"
"""Address of every client of a unix socket."""

OFF: Final = "off"
"""Target of an access log that is not written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLog:
    """Where messages for people go, and from which level on."""

    target: str = setting(
        "File path, `stderr`, or `syslog:` and the server: `host:port` or `unix:/path`.",
        default="stderr",
        directive="error_log",
        pattern=_LINE_SAFE,
    )
    level: str = setting(
        "Least severe level written.",
        default="error",
        directive="error_log",
        choices=("debug", "info", "notice", "warn", "error", "crit", "alert", "emerg"),
    )
    syslog_facility: str = setting(
        "Facility of syslog messages.",
        default="local7",
        directive="error_log",
        choices=FACILITIES,
    )
    syslog_tag: str = setting(
        "Program name in syslog messages; nginx's by default, so that filters go on working.",
        default="nginx",
        directive="error_log",
        pattern=r"[0-9A-Za-z_]+",
        max_length=32,
    )
    syslog_hostname: bool = setting(
        "Whether syslog messages name this host.", default=True, directive="error_log"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLog:
    """Where the access log's records go (contract.access)."""

    target: str = setting(
        "File path, `syslog:` and the server (`host:port` or `unix:/path`), or `off`: nowhere.",
        default=OFF,
        directive="access_log",
        pattern=_LINE_SAFE,
    )
    syslog_facility: str = setting(
        "Facility of syslog messages.",
        default="local7",
        directive="access_log",
        choices=FACILITIES,
    )
    syslog_tag: str = setting(
        "Program name in syslog messages.",
        default="nginx",
        directive="access_log",
        pattern=r"[0-9A-Za-z_]+",
        max_length=32,
    )
    syslog_hostname: bool = setting(
        "Whether syslog messages name this host.", default=True, directive="access_log"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What concerns the daemon's processes and not a session."""

    worker_processes: int = setting(
        "Worker processes; 0 is one per CPU.",
        default=0,
        directive="worker_processes",
        unit="count",
        minimum=0,
        maximum=512,
    )
    worker_connections: int = setting(
        "Sessions per worker; more wait in the listen queue.",
        default=16_384,
        directive="worker_connections",
        unit="count",
        minimum=1,
    )
    worker_shutdown_timeout_ms: int = setting(
        "Time a draining worker leaves its sessions; 0 waits for ever.",
        default=0,
        directive="worker_shutdown_timeout",
        unit="ms",
        minimum=0,
    )
    user: str = setting(
        "User the workers run as, when started as root.",
        default="",
        directive="user",
        pattern=_LINE_SAFE,
    )
    group: str = setting(
        "Group the workers run as. Empty: the group named as the user, or else the user's own.",
        default="",
        directive="user",
        pattern=_LINE_SAFE,
    )
    pid: str = setting(
        "File that holds the supervisor's process id.",
        default="",
        directive="pid",
        pattern=_LINE_SAFE,
    )
    error_logs: tuple[ErrorLog, ...] = setting(
        "Where messages go; none given means stderr.", default=(), directive="error_log"
    )
    access_logs: tuple[AccessLog, ...] = setting(
        "Where one record per session goes; none given means nowhere.",
        default=(),
        directive="access_log",
    )
    prelogin_sessions: int = setting(
        "Sessions per worker that have not logged in; more are turned away. 0: no limit but "
        "`worker_connections`.",
        default=8192,
        directive="prelogin_sessions",
        unit="count",
        minimum=0,
    )
    prelogin_sessions_per_address: int = setting(
        "Sessions per worker and client address (IPv6: its /64) that have not logged in; more are "
        "turned away. 0: any number, and 100 once half of `prelogin_sessions` are taken.",
        default=0,
        directive="prelogin_sessions_per_address",
        unit="count",
        minimum=0,
    )
    prelogin_exempt: tuple[str, ...] = setting(
        "Clients these two limits do not turn away, such as a webmail's: IP addresses, networks or "
        "`unix:`.",
        default=(),
        directive="prelogin_exempt",
        pattern=r"unix:|[0-9A-Fa-f.:]+(?:/[0-9]{1,3})?",
    )


def find_network_problems(sources: tuple[str, ...], path: str) -> list[Problem]:
    """Find networks that are none."""
    problems = []
    for i, source in enumerate(sources):
        try:
            if source != UNIX:
                ipaddress.ip_network(source, strict=False)
        except ValueError:
            text = "must be an IP address, a network or `unix:`"
            problems.append(Problem(f"{path}[{i}]", text))
    return problems
