"""A worker's access log lines, gathered until its loop has a moment to send them."""

from collections.abc import Callable, Iterator
from typing import Final

from proxycore.contract.process import OFF, AccessLog
from proxycore.contract.snapshot import Snapshot

MAX_LINES: Final = 10_000
"""Lines of one server block that may wait; more are dropped and counted."""


def wanted_logs(snapshot: Snapshot) -> dict[str, tuple[AccessLog, ...]]:
    """Give the access logs by server block, inheritance settled; "" is any other block."""
    named = {server.name: server.access_logs for server in snapshot.servers}
    logs = {"": snapshot.process.access_logs, **{name: own for name, own in named.items() if own}}
    return {
        name: tuple(dict.fromkeys(log for log in found if log.target != OFF))
        for name, found in logs.items()
    }


class Lines:
    """Lines in bounded room."""

    __slots__ = ("_dropped", "_lines", "_wake")

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lines: list[str] = []
        self._dropped = 0

    def write(self, line: str) -> None:
        """Take one line, with its end."""
        lines = self._lines
        if not lines:
            self._wake()
        elif len(lines) >= MAX_LINES:
            self._dropped += 1
            return
        lines.append(line)

    def take(self) -> tuple[bytes, int]:
        """Give what waits, and how many lines were dropped since the last time."""
        lines, self._lines = self._lines, []
        dropped, self._dropped = self._dropped, 0
        return "".join(lines).encode("ascii"), dropped


class ServerLines(Lines):
    """The lines of one server block (net.access.Access)."""

    __slots__ = ("name", "wanted", "wants_refusals", "write_refusal")

    def __init__(self, name: str, wake: Callable[[], None], refusals: Lines | None) -> None:
        """refusals: where lines about refused logins go, if anywhere."""
        super().__init__(wake)
        self.name = name
        self.wanted = False
        self.wants_refusals = refusals is not None
        self.write_refusal = self.write if refusals is None else refusals.write


class AccessLines:
    """The lines of all server blocks."""

    def __init__(self, wake: Callable[[], None], *, keeps_history: bool = False) -> None:
        """``wake``: called when there is something to ``take`` again.

        keeps_history: an appliance wants a record of every session and every refused login.
        """
        self._wake = wake
        self._keeps_history = keeps_history
        self.refusals = Lines(wake)
        self._wanted: dict[str, bool] = {"": False}
        self._of: dict[str, ServerLines] = {}

    def of(self, name: str) -> ServerLines:
        """Give the lines of a server block; the same ones as long as the worker lives."""
        if name not in self._of:
            refusals = self.refusals if self._keeps_history else None
            self._of[name] = lines = ServerLines(name, self._wake, refusals)
            lines.wanted = self._keeps_history or self._wanted.get(name, self._wanted[""])
        return self._of[name]

    def use(self, snapshot: Snapshot) -> None:
        """Want what somebody reads; a block that is no more counts as any other."""
        self._wanted = {name: bool(logs) for name, logs in wanted_logs(snapshot).items()}
        for name, lines in self._of.items():
            lines.wanted = self._keeps_history or self._wanted.get(name, self._wanted[""])

    def take(self) -> Iterator[tuple[str, bytes, int]]:
        """Give name, lines and the number of dropped ones, of each block that has any."""
        for name, of in self._of.items():
            lines, dropped = of.take()
            if lines or dropped:
                yield name, lines, dropped
