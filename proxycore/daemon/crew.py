"""The workers together: as many as wanted, all running the same, replaced when they die.

The first replacement is immediate (a killed worker must not be felt for two seconds); workers that
keep dying young are replaced with growing delay. A worker whose own loop has been silent for ten
watchdog ticks is killed, after it was asked to show where it hangs. Ticks, not clock time: a
machine that was suspended has not made its workers silent.
"""

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from proxycore.contract.secret import Secret
from proxycore.daemon.frames import Message
from proxycore.daemon.history import History
from proxycore.daemon.logs import ErrorLogs, Line
from proxycore.daemon.privileges import DUMP_SIGNAL, Identity
from proxycore.daemon.process import Load, Reply, Report, WorkerProcess
from proxycore.daemon.registry import Registry
from proxycore.daemon.tasks import spawn
from proxycore.daemon.ticket_keys import Keys
from proxycore.daemon.totals import Totals

TICK_S: Final = 1.0
SILENT_TICKS: Final = 10
BOOT_TICKS: Final = 30
"""Patience with a worker that has not served yet: starting an interpreter takes what it takes."""

APPLY_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 1.2
SURVEY_TIMEOUT_S: Final = 2.0
MAX_BOOT_FAILURES: Final = 3

_YOUNG_S = 5.0
_FIRST_DELAY_S = 0.25
_MAX_DELAY_S = 5.0
_DUMP_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What every worker is told at its start."""

    boot_id: str
    hostname: str
    node_token: Secret | None = None
    keeps_history: bool = False
    """An appliance wants a record of every session."""


def respawn_delay_s(young_deaths: int) -> float:
    """Give the wait before a replacement, after so many workers in a row that died young.

    None for the first, also when it died right after the start.
    """
    if young_deaths <= 1:
        return 0.0
    return float(min(_FIRST_DELAY_S * 2 ** min(young_deaths - 2, 10), _MAX_DELAY_S))


class Crew:
    """The workers of this node."""

    def __init__(
        self,
        facts: Facts,
        *,
        logs: ErrorLogs,
        totals: Totals,
        registry: Registry,
        history: History,
    ) -> None:
        self._facts = facts
        self._logs = logs
        self._totals = totals
        self._registry = registry
        self._history = history
        self._workers: dict[int, WorkerProcess] = {}
        self._serial = 0
        self._size = 0
        self._load: Load | None = None
        self._identity: Identity | None = None
        self._respawns: set[asyncio.TimerHandle] = set()
        self._young_deaths = 0
        self._boot_failures = 0
        self._changed = asyncio.Event()
        self._stopping = False
        self._unheard: list[Callable[[], None]] | None = []
        """What workers said before the first snapshot was in force, and with it its logs."""
        self.generation = 0
        """Routing generation that caches are of, also those of workers yet to start."""

    @property
    def serving(self) -> int:
        """Workers that accept sessions now."""
        return sum(worker.serving and not worker.leaving for worker in self._workers.values())

    # --- running a snapshot -------------------------------------------------------------------

    async def apply(self, load: Load, *, size: int, identity: Identity | None) -> list[str]:
        """Have ``size`` workers run this; gives what went wrong.

        When problems are given, some workers may run ``load``: apply the former one again.
        A worker that dies meanwhile is no problem: its replacement starts with ``load``.
        """
        if self._stopping:
            return ["the node is stopping"]
        self._load, self._size, self._identity = load, size, identity
        self._boot_failures = 0
        present = [worker for worker in self._workers.values() if not worker.leaving]
        replies = await asyncio.gather(*(worker.apply(load) for worker in present))
        problems = [reply.problem for reply in replies if reply.problem]
        if problems:
            return problems
        self._fit()
        try:
            async with asyncio.timeout(APPLY_TIMEOUT_S):
                return await self._all_serving()
        except TimeoutError:
            return ["workers did not start in time"]

    async def _all_serving(self) -> list[str]:
        while not self._stopping:
            self._changed.clear()
            if self.serving >= self._size:
                return []
            if self._boot_failures >= MAX_BOOT_FAILURES:
                return ["workers end before they serve; the error log says why"]
            await self._changed.wait()
        return ["the node is stopping"]

    def _fit(self) -> None:
        """Start what is missing, let go what is too many (the oldest stay)."""
        if self._stopping:
            return
        active = [worker for worker in self._workers.values() if not worker.leaving]
        for worker in active[self._size :]:
            self._let_go(worker, self._shutdown_timeout_ms())
        for _ in range(self._size - len(active) - len(self._respawns)):
            self._start_one()

    def _shutdown_timeout_ms(self) -> int:
        assert self._load is not None
        return int(self._load.snapshot["process"]["worker_shutdown_timeout_ms"])

    def _start_one(self) -> None:
        self._serial += 1
        try:
            worker = WorkerProcess(self._serial, self)
        except OSError as error:
            self._logs.write("alert", f"starting a worker failed: {error}")
            self._boot_failures += 1
            self._young_deaths += 1
            self._schedule_respawn()
            self._changed.set()
            return
        self._workers[worker.serial] = worker
        identity = self._identity
        token = self._facts.node_token
        worker.tell(
            {
                "type": "start",
                "boot_id": f"{self._facts.boot_id}-{worker.serial}",
                "hostname": self._facts.hostname,
                "node_token": token.reveal() if token else "",
                "generation": self.generation,
                "keeps_history": self._facts.keeps_history,
                "identity": identity
                and {"uid": identity.uid, "gid": identity.gid, "groups": identity.groups},
            }
        )
        spawn(self._bring_up(worker), name=f"worker {worker.serial} start")

    async def _bring_up(self, worker: WorkerProcess) -> None:
        """Apply until what the worker runs is what the crew runs."""
        while True:
            load = self._load
            if load is None:
                return
            reply = await worker.apply(load)
            if reply.lost:
                return
            if reply.problem:
                self._logs.write("alert", f"worker process {worker.pid}: {reply.problem}")
                worker.signal(signal.SIGKILL)
                return
            if load is self._load:
                break
        self._boot_failures = 0
        self._changed.set()

    # --- what workers say ---------------------------------------------------------------------

    def reported(self, worker: WorkerProcess, message: Report) -> None:
        """Keep a worker's books."""
        if message.totals is not None:
            self._totals.report(worker.serial, message.totals)
        self._registry.update(worker.serial, message.opened, message.counted, message.closed)

    def logged(self, worker: WorkerProcess, lines: list[Line]) -> None:
        """Write a worker's lines under its own process id."""
        self._hear(partial(self._logs.write_lines, worker.pid, lines))

    def recorded(self, worker: WorkerProcess, server: str, lines: bytes, dropped: int) -> None:
        """Write a worker's access log lines."""
        self._hear(partial(self._logs.access.write, server, lines, dropped))
        if self._facts.keeps_history:
            self._history.put_sessions(lines, dropped)

    def refused(self, worker: WorkerProcess, lines: bytes, dropped: int) -> None:
        """Keep what a worker tells of refused logins for the appliance."""
        self._history.put_logins(lines, dropped)

    def _hear(self, write: Callable[[], None]) -> None:
        if self._unheard is None:
            write()
        else:
            self._unheard.append(write)

    def listen(self) -> None:
        """Write what workers say from now on, and what they have said already.

        The first worker serves while others are still being started.
        """
        unheard, self._unheard = self._unheard or (), None
        for write in unheard:
            write()

    def complained(self, worker: WorkerProcess, text: str) -> None:
        """Log what an interpreter in trouble wrote, a line each."""
        now = time.time()
        lines = [("alert", now, line, "") for line in text.split("\n") if line.strip()]
        self._logs.write_lines(worker.pid, lines)

    def gone(self, worker: WorkerProcess, status: int) -> None:
        """Settle a worker's books, and replace it unless it was told to go."""
        del self._workers[worker.serial]
        lost = self._totals.retire(worker.serial)
        self._registry.forget_worker(worker.serial)
        how = f"exited on signal {-status}" if status < 0 else f"exited with code {status}"
        if worker.leaving and not lost:
            self._logs.write("notice", f"worker process {worker.pid} {how}")
        else:
            message = f"worker process {worker.pid} {how}, {lost} sessions lost"
            self._logs.write("alert", message)
        if not worker.leaving:
            young = asyncio.get_running_loop().time() - worker.started_mono < _YOUNG_S
            self._young_deaths = self._young_deaths + 1 if young else 0
            self._boot_failures += not worker.serving
            self._schedule_respawn()
        self._changed.set()

    def _schedule_respawn(self) -> None:
        if self._stopping:
            return
        delay_s = respawn_delay_s(self._young_deaths)
        handle: asyncio.TimerHandle

        def respawn() -> None:
            self._respawns.discard(handle)
            if self._load is not None:
                self._fit()

        handle = asyncio.get_running_loop().call_later(delay_s, respawn)
        self._respawns.add(handle)

    async def watch(self) -> None:
        """Replace workers that hang; runs as long as the crew."""
        while True:
            await asyncio.sleep(TICK_S)
            for worker in list(self._workers.values()):
                worker.silent_ticks += 1
                if worker.silent_ticks == (SILENT_TICKS if worker.serving else BOOT_TICKS):
                    spawn(self._replace_hung(worker), name=f"worker {worker.serial} hangs")

    async def _replace_hung(self, worker: WorkerProcess) -> None:
        message = f"worker process {worker.pid} does not answer, killing it; it was at:"
        self._logs.write("alert", message)
        if worker.serving:
            worker.signal(DUMP_SIGNAL)
            await asyncio.sleep(_DUMP_S)
        worker.signal(signal.SIGKILL)

    # --- orders -------------------------------------------------------------------------------

    async def ask_all(self, message: dict[str, Any]) -> list[Reply]:
        """Ask every worker, also one that is starting: it may serve before we hear that it does."""
        return list(await asyncio.gather(*(w.ask(message) for w in self._workers.values())))

    async def invalidate(self, generation: int, since: int, logins: tuple[str, ...]) -> None:
        """Have every worker's cache be of this generation, as ``AuthCache.invalidate`` says."""
        self.generation = generation
        await self.ask_all(
            {"type": "invalidate", "generation": generation, "since": since, "logins": logins}
        )

    async def renew_token(self, token: Secret) -> None:
        """Have every worker, now and later, use another node token."""
        self._facts = replace(self._facts, node_token=token)
        await self.ask_all({"type": "token", "node_token": token.reveal()})

    async def renew_tickets(self, keys: Keys) -> None:
        """Have every worker use other ticket keys."""
        await self.ask_all({"type": "tickets", "keys": keys})

    async def kick(self, sessions: tuple[str, ...]) -> int:
        """Disconnect these sessions; gives how many there were."""
        by_worker = self._registry.workers_of(sessions)
        known = {session for ids in by_worker.values() for session in ids}
        for session in sessions:
            # one that has not logged in is in no registry, but its name begins with its worker's
            serial = self._serial_of(session)
            if session not in known and serial in self._workers:
                by_worker.setdefault(serial, []).append(session)
        replies = await asyncio.gather(
            *(
                self._workers[serial].ask({"type": "kick", "sessions": ids})
                for serial, ids in by_worker.items()
            )
        )
        return sum(reply.affected for reply in replies)

    def _serial_of(self, session: str) -> int:
        worker, _, _ = session.rpartition(".")
        boot_id, _, serial = worker.rpartition("-")
        return int(serial) if boot_id == self._facts.boot_id and serial.isdecimal() else 0

    async def survey(self, most: int) -> list[dict[str, Any] | None]:
        """Have every worker look at its sessions before login (net.waiting.Surveyed).

        None of one that did not answer in time.
        """
        message = {"type": "survey", "most": most}
        asked = (self._survey(worker, message) for worker in list(self._workers.values()))
        return list(await asyncio.gather(*asked))

    async def _survey(self, worker: WorkerProcess, message: Message) -> dict[str, Any] | None:
        try:
            async with asyncio.timeout(SURVEY_TIMEOUT_S):
                return (await worker.ask(message)).told
        except TimeoutError:
            return None

    async def turn_away(self, address: str) -> int:
        """Disconnect the sessions before login of an address; gives how many there were."""
        replies = await self.ask_all({"type": "turn_away", "address": address})
        return sum(reply.affected for reply in replies)

    def rest(self) -> None:
        """Let every worker finish its sessions; none is started until the next ``apply``."""
        self._size = 0
        if self._load is not None:
            self._fit()

    async def drain(self, *, shutdown_timeout_ms: int) -> None:
        """Let every worker finish its sessions; returns when all are gone."""
        self._end_care()
        for worker in list(self._workers.values()):
            self._let_go(worker, shutdown_timeout_ms)
        await self._all_gone()

    async def stop(self) -> None:
        """End every worker now, by force those that do not listen, and start no more."""
        self._end_care()
        await self.dismiss()
        self.listen()

    async def dismiss(self) -> None:
        """End every worker now, with nothing to run until the next ``apply``."""
        self._load, self._size = None, 0
        self._cancel_respawns()
        for worker in list(self._workers.values()):
            worker.leaving = True
            worker.tell({"type": "stop"})
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._all_gone()
        except TimeoutError:
            for worker in self._workers.values():
                worker.signal(signal.SIGKILL)
            await self._all_gone()

    def _let_go(self, worker: WorkerProcess, shutdown_timeout_ms: int) -> None:
        """Have a worker finish its sessions, those that are still logging in included."""
        worker.leaving = True
        worker.tell({"type": "drain", "shutdown_timeout_ms": shutdown_timeout_ms})

    def _end_care(self) -> None:
        self._stopping = True
        self._changed.set()
        self._cancel_respawns()

    def _cancel_respawns(self) -> None:
        for handle in self._respawns:
            handle.cancel()
        self._respawns.clear()

    async def _all_gone(self) -> None:
        while self._workers:
            self._changed.clear()
            await self._changed.wait()
