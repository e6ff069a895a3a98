"""A node that runs from a file: an ``nginx.conf``, or a snapshot as JSON. Knows no appliance."""

import json
from dataclasses import dataclass

from proxycore import nginxconf
from proxycore.contract.codec import Invalid
from proxycore.contract.snapshot import Snapshot, from_plain
from proxycore.daemon.logs import ErrorLogs
from proxycore.daemon.supervisor import Supervisor


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing said about a configuration file."""

    level: str
    message: str

    def __str__(self) -> str:
        return f"[{self.level}] {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A configuration file, read. ``snapshot`` is None when a problem stands in the way."""

    snapshot: Snapshot | None
    problems: tuple[Remark, ...] = ()
    notices: tuple[Remark, ...] = ()


def load(path: str) -> Loaded:
    """Read a configuration. ``.json`` is a snapshot, everything else nginx's language."""
    return _load_json(path) if path.endswith(".json") else _load_conf(path)


def _load_conf(path: str) -> Loaded:
    loaded = nginxconf.load(path)
    return Loaded(
        snapshot=None if loaded.problems else loaded.snapshot,
        problems=tuple(_remark(problem) for problem in loaded.problems),
        notices=tuple(_remark(notice) for notice in loaded.notices),
    )


def _remark(problem: nginxconf.ConfProblem) -> Remark:
    where = f" in {problem.file}:{problem.line}" if problem.line else ""
    return Remark(level=problem.level, message=f"{problem.message}{where}")


def _load_json(path: str) -> Loaded:
    try:
        with open(path, "rb") as stream:
            return Loaded(snapshot=from_plain(json.load(stream)))
    except Invalid as error:
        texts = [f"{problem} in {path}" for problem in error.problems]
    except OSError as error:
        texts = [f'open() "{path}" failed ({error.errno}: {error.strerror})']
    except ValueError as error:
        texts = [f"not JSON ({error}) in {path}"]
    problems = tuple(Remark(level="emerg", message=text) for text in texts)
    return Loaded(snapshot=None, problems=problems)


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
        """Read the file again; whatever is wrong with it, what ran before goes on."""
        if await self._apply():
            self._logs.write("notice", f"{self._path} is in force")
        elif not self.supervisor.ending:
            self._logs.write("error", f"{self._path} was not taken, the old one stays in force")

    async def finish(self) -> None:
        """Nobody is waiting for anything."""

    async def _apply(self) -> bool:
        loaded = load(self._path)
        for remark in (*loaded.notices, *loaded.problems):
            self._logs.write(remark.level, remark.message)
        if loaded.snapshot is None:
            return False
        problems = await self.supervisor.apply(loaded.snapshot)
        for problem in () if self.supervisor.ending else problems:
            place = f" ({problem.path} in {self._path})" if problem.path else ""
            self._logs.write("emerg", f"{problem.message}{place}")
        return not problems
