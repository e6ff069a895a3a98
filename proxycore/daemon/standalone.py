"""A node that runs from a file: an ``nginx.conf``, or a snapshot as JSON. Knows no appliance."""

import json
import os
import socket
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from proxycore import nginxconf
from proxycore.contract.codec import Invalid
from proxycore.contract.messages import SettingProblem
from proxycore.contract.snapshot import Snapshot, from_plain
from proxycore.daemon.hosts import locate
from proxycore.daemon.logs import ErrorLogs
from proxycore.daemon.privileges import resolve
from proxycore.daemon.supervisor import Supervisor
from proxycore.daemon.tls_files import secure
from proxycore.nginxconf import ConfProblem, Loaded


def load(path: str) -> Loaded:
    """Read a configuration. ``.json`` is a snapshot, everything else nginx's language."""
    loaded = _load_json(path) if path.endswith(".json") else nginxconf.load(path)
    if loaded.snapshot is None or loaded.snapshot.servers:
        return loaded
    text = "no server blocks: nothing will be served"
    return loaded.and_also(problems=(), notices=[ConfProblem(text, path, 0, "warn")])


def _load_json(path: str) -> Loaded:
    try:
        with open(path, "rb") as stream:
            return Loaded(path, from_plain(json.load(stream)))
    except Invalid as error:
        texts = [f"{problem} in {path}" for problem in error.problems]
    except OSError as error:
        texts = [f'open() "{path}" failed ({error.errno}: {error.strerror})']
    except ValueError as error:
        texts = [f"not JSON ({error}) in {path}"]
    return Loaded(path, None, [ConfProblem(text, path, 0) for text in texts])


def check(path: str) -> Loaded:
    """Read a configuration as at a start: users, host names and log files have to exist.

    Like ``nginx -t`` it creates log files that are not there yet.
    """
    loaded = load(path)
    if loaded.snapshot is None:
        return loaded
    user = resolve(loaded.snapshot.process, is_root=True)
    logs = ErrorLogs()
    secured = secure(loaded.snapshot)
    problems = (
        *user.problems,
        *secured.problems,
        *locate(loaded.snapshot).problems,
        *logs.prepare(loaded.snapshot),
    )
    logs.close()
    warnings = _placed(loaded, (*secured.notices, *_doubts(loaded.snapshot)))
    return loaded.and_also(
        problems=_placed(loaded, problems),
        notices=[
            *(ConfProblem(text, path, 0, "warn") for text in user.warnings),
            *(replace(warning, level="warn") for warning in warnings),
        ],
    )


def _doubts(snapshot: Snapshot) -> Iterable[SettingProblem]:
    """Say what a start would survive and an operator hardly wants."""
    pid = snapshot.process.pid
    if pid and not os.access(Path(pid).parent, os.W_OK):
        yield SettingProblem(path="process.pid", message=f'"{pid}" cannot be written')
    hosts: dict[str, str] = {}
    for i, server in enumerate(snapshot.servers):
        hosts.setdefault(server.auth_http.host, f"servers[{i}].auth_http")
    for host, path in hosts.items():
        if not host.startswith("unix:") and not _is_known(host):
            yield SettingProblem(path=path, message=f'host not found in auth_http "{host}"')


def _is_known(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        return False


def _placed(loaded: Loaded, problems: Iterable[SettingProblem]) -> list[ConfProblem]:
    """Say of each problem which line of the file it is about, or which setting.

    One that several blocks have inherited is said once.
    """
    placed = []
    for problem in problems:
        place = loaded.blame(problem.path)
        path = f" ({problem.path})" if problem.path and not place.line else ""
        placed.append(ConfProblem(f"{problem.message}{path}", place.file, place.line))
    return list(dict.fromkeys(placed))


class Standalone:
    """The mode of ``serve --config FILE`` (life.Mode)."""

    def __init__(self, path: str, logs: ErrorLogs, *, workers: int | None) -> None:
        self.supervisor = Supervisor(logs, workers=workers)
        self._path = path
        self._logs = logs

    async def start(self) -> bool:
        """Read the file and serve; False when either is not possible."""
        return await self._apply()

    async def reload(self) -> None:
        """Read the file again; whatever is wrong with it, what ran before goes on.

        Sessions of the former configuration get its ``worker_shutdown_timeout``, as nginx's do. A
        managed node never cuts them: there, every small change is a new revision.
        """
        former = self.supervisor.snapshot
        if await self._apply():
            self._logs.write("notice", f"{self._path} is in force")
            if former is not None:
                await self.supervisor.retire_former(former.process.worker_shutdown_timeout_ms)
        elif not self.supervisor.ending:
            self._logs.write("error", f"{self._path} was not taken, the old one stays in force")

    async def speak(self) -> None:
        """Nobody is listening."""

    async def fall_silent(self) -> None:
        """Nobody has heard anything."""

    async def finish(self) -> None:
        """Nobody is waiting for anything."""

    async def _apply(self) -> bool:
        loaded = load(self._path)
        self._tell(loaded.notices)
        if loaded.snapshot is None:
            self._tell(loaded.problems)
            return False
        problems = await self.supervisor.apply(loaded.snapshot)
        if not self.supervisor.ending:
            self._tell(_placed(loaded, problems))
        return not problems

    def _tell(self, remarks: Iterable[ConfProblem]) -> None:
        for remark in remarks:
            self._logs.write(remark.level, remark.text)
