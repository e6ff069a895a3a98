"""TLS of a snapshot, before anything is changed: files read, settings tried out.

The supervisor has the rights to read keys, so it turns every path into content; workers get that
through their pipe and never open a key. What runs is then also what was tried: a renewed file is
another content, and nothing else has to notice it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Generic, TypeVar

from proxycore.contract.codec import Problem
from proxycore.contract.messages import SettingProblem
from proxycore.contract.snapshot import Server, Snapshot
from proxycore.contract.tls import BackTls

_PLAIN_BACK: Final = BackTls()

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """A snapshot whose TLS can be used as it is, or what is wrong with it."""

    snapshot: Snapshot
    problems: list[SettingProblem] = field(default_factory=list)
    notices: list[SettingProblem] = field(default_factory=list)
    """What cannot be had and does no harm."""


def secure(snapshot: Snapshot, former: Snapshot | None = None) -> Secured:
    """Read what the blocks that speak TLS name, and try it out. Waits for disks.

    former: what runs; what has not changed since is not tried, nor remarked, again.
    """
    if not any(one.speaks_tls or one.back_tls != _PLAIN_BACK for one in snapshot.servers):
        return Secured(snapshot=snapshot)
    try:
        from proxycore.net.tls import check, material
    except ImportError as error:  # no OpenSSL 3; mail without TLS can still be served
        return Secured(snapshot=snapshot, problems=[SettingProblem(path="", message=str(error))])
    running = () if former is None else former.servers
    front = _Leg(
        material.inlined_front, check.check_front, {server.front_tls for server in running}
    )
    back = _Leg(material.inlined_back, check.check_back, {server.back_tls for server in running})
    servers: list[Server] = []
    for i, server in enumerate(snapshot.servers):
        front_tls, back_tls = server.front_tls, server.back_tls
        if server.speaks_tls:
            front_tls = front.take(front_tls, f"servers[{i}].front_tls")
        if back_tls != _PLAIN_BACK:
            back_tls = back.take(back_tls, f"servers[{i}].back_tls")
        servers.append(replace(server, front_tls=front_tls, back_tls=back_tls))
    return Secured(
        snapshot=replace(snapshot, servers=tuple(servers)),
        problems=[*front.problems, *back.problems],
        notices=[*front.notices, *back.notices],
    )


class _Leg(Generic[T]):
    """One leg of all blocks, of which many may have the same settings."""

    def __init__(
        self,
        inline: Callable[[T], T],
        check: Callable[[T, str], tuple[list[Problem], list[str]]],
        running: set[T],
    ) -> None:
        self.problems: list[SettingProblem] = []
        self.notices: list[SettingProblem] = []
        self._inline, self._check = inline, check
        self._running = running
        self._known: dict[T, T] = {}

    def take(self, settings: T, path: str) -> T:
        """Give the settings with content in the place of every path."""
        if settings not in self._known:
            self._known[settings] = self._prepared(settings, path)
        return self._known[settings]

    def _prepared(self, settings: T, path: str) -> T:
        from proxycore.net.tls.check import field_of
        from proxycore.net.tls.refused import Refused

        try:
            ready = self._inline(settings)
        except Refused as refused:
            self._complain(Problem(f"{path}.{field_of(refused)}", str(refused)))
            return settings
        if ready in self._running:
            return ready
        problems, notices = self._check(ready, path)
        if problems and ready != settings:
            # the same, said of the paths that people know
            problems = self._check(settings, path)[0] or problems
        for problem in problems:
            self._complain(problem)
        self.notices += (SettingProblem(path=path, message=text) for text in notices)
        return ready

    def _complain(self, problem: Problem) -> None:
        self.problems.append(SettingProblem(path=problem.path, message=problem.message))
