"""The node: one snapshot in force, the sockets it names, the workers that run it.

``apply`` is the only way to another snapshot, and takes two steps, so that a refusal costs nothing:
first everything that can fail (open sockets and logs, look up the user, have every worker take the
snapshot), then what cannot (close what is no longer named). See ADR-0005.
"""

import asyncio
import os
import resource
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import proxycore
from proxycore.contract.binding import bindings
from proxycore.contract.messages import UNTOLD, SettingProblem, Waiting
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import Process, Snapshot, to_plain
from proxycore.contract.stats import SESSIONS_OPEN
from proxycore.daemon import privileges
from proxycore.daemon.apply import Plan, plan
from proxycore.daemon.crew import Crew, Facts
from proxycore.daemon.history import History
from proxycore.daemon.hosts import locate
from proxycore.daemon.listeners import Listeners
from proxycore.daemon.logs import ErrorLogs
from proxycore.daemon.pid_file import PidFile
from proxycore.daemon.process import Load
from proxycore.daemon.reach import out_of_reach
from proxycore.daemon.registry import Registry
from proxycore.daemon.tasks import spawn
from proxycore.daemon.ticket_keys import SECRET_BYTES, GivenKeys, TicketRing
from proxycore.daemon.tls_files import secure
from proxycore.daemon.totals import Totals
from proxycore.daemon.waiting import add_up
from proxycore.daemon.zones import Zones

_FILES_PER_SESSION: Final = 2
"""Its client and its mail server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Examined:
    """A snapshot as it would run here, and what is wrong with it."""

    snapshot: Snapshot
    steps: Plan
    identity: privileges.Resolved
    problems: list[SettingProblem]
    notices: list[SettingProblem]
    paths: dict[str, str]

    def as_given(self, problems: list[SettingProblem]) -> list[SettingProblem]:
        """Give problems with the paths of the snapshot that was given."""
        return [replace(one, path=self.paths.get(one.path, one.path)) for one in problems]


def _too_few_files(process: Process) -> list[str]:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = process.worker_connections * _FILES_PER_SESSION
    if wanted <= limit:
        return []
    return [
        f"{process.worker_connections} worker_connections need {wanted} open files, which "
        f"exceed open file resource limit: {limit}"
    ]


class Supervisor:
    """The node's processes and sockets, from the first snapshot to the end."""

    def __init__(
        self,
        logs: ErrorLogs,
        *,
        workers: int | None = None,
        node_token: Secret | None = None,
        ticket_secret: bytes | None = None,
        ticket_keys: GivenKeys | None = None,
        keeps_history: bool = False,
    ) -> None:
        """``workers`` overrides worker_processes.

        ticket_secret: what ticket keys are made from; without one, tickets die with the process.
        ticket_keys: what an appliance gave last.
        keeps_history: an appliance wants a record of every session.
        """
        self.boot_id = secrets.token_hex(6)
        self.hostname = socket.gethostname()
        self.logs = logs
        self.totals = Totals()
        self.registry = Registry(self.boot_id)
        self.snapshot: Snapshot | None = None
        """What runs now."""
        self.ending = False
        """A drain or stop has begun: whatever is refused now is no fault of a configuration."""
        self.is_draining = False
        """No connection is accepted until an appliance wants it."""
        self.generation = 0
        """Routing generation the workers' auth caches are valid for."""
        self._workers_wanted = workers
        self._listeners = Listeners()
        facts = Facts(
            boot_id=self.boot_id,
            hostname=self.hostname,
            node_token=node_token,
            keeps_history=keeps_history,
        )
        self.history = History(self.boot_id, logs.write)
        """What has ended, for an appliance; empty unless ``keeps_history``."""
        self._crew = Crew(
            facts, logs=logs, totals=self.totals, registry=self.registry, history=self.history
        )
        self._zones = Zones()
        self.ticket_secret = ticket_secret or secrets.token_bytes(SECRET_BYTES)
        self.tickets = TicketRing(self.ticket_secret, ticket_keys)
        self._renewing: asyncio.Task[None] | None = None
        self._applying = asyncio.Lock()
        self._invalidating = asyncio.Lock()
        self._load: Load | None = None
        self._identity: privileges.Identity | None = None
        self._is_resting = False
        self.pid_file = PidFile(logs)
        self._watchdog: asyncio.Task[None] | None = None

    @property
    def workers(self) -> int:
        """Workers that serve now."""
        return self._crew.serving

    @property
    def sessions(self) -> int:
        """Open sessions, logged in or not, as last reported."""
        return self.totals.gauge(SESSIONS_OPEN.name)

    # --- two programs at once (upgrade) ---------------------------------------------------------

    @property
    def sockets(self) -> Mapping[str, socket.socket]:
        """The listening sockets, by key."""
        return self._listeners.sockets

    @property
    def is_heir(self) -> bool:
        """There are inherited sockets that no snapshot has named yet."""
        return self._listeners.has_inherited

    def inherit(self, sockets: Mapping[str, socket.socket], ticket_secret: bytes) -> None:
        """Take these over instead of opening them, as far as the first snapshot names them.

        ticket_secret: of the former program; clients resume their TLS sessions with either.
        """
        self._listeners.inherit(sockets)
        if ticket_secret:
            self.ticket_secret = ticket_secret
            self.tickets = TicketRing(ticket_secret, self.tickets.given)

    def share_names(self, shared: bool) -> None:
        """Leave the names of unix sockets alone (or no longer): another process serves there."""
        self._listeners.are_shared = shared

    async def rest(self) -> None:
        """Let all workers finish and start no others, until ``wake``."""
        async with self._applying:
            self._is_resting = True
            self._crew.rest()

    async def wake(self) -> None:
        """Serve again, if we rest."""
        async with self._applying:
            if not self._is_resting:
                return
            self._is_resting = False
            if self._load is not None and self.snapshot is not None and not self.ending:
                size = self._size(self.snapshot.process)
                await self._crew.apply(self._load, size=size, identity=self._identity)

    # --- another snapshot ---------------------------------------------------------------------

    async def apply(self, snapshot: Snapshot) -> list[SettingProblem]:
        """Run this snapshot. When problems are given, everything is as it was."""
        async with self._applying:
            if self.ending:
                return [SettingProblem(path="", message="the node is stopping")]
            return await self._change(replace(snapshot, accepting=not self.is_draining))

    async def drain_or_resume(self, wanted: bool) -> list[SettingProblem]:
        """Close the listening sockets while sessions go on, or open them again.

        Gives why they cannot be opened; then nothing is listened on, and it may be asked again.
        """
        async with self._applying:
            if self.ending or (self.snapshot is None and self.is_draining == wanted):
                return []
            self.is_draining = wanted
            if self.snapshot is None or self.snapshot.accepting is not wanted:
                return []
            problems = await self._change(replace(self.snapshot, accepting=not wanted))
            self.is_draining = not self.snapshot.accepting
            return problems

    async def _change(self, snapshot: Snapshot) -> list[SettingProblem]:
        seen = await self._examine(snapshot)
        snapshot, steps, identity = seen.snapshot, seen.steps, seen.identity
        problems = [*seen.problems, *self.logs.prepare(snapshot)]
        if not problems:
            problems = self._listeners.open(steps.opened)
        if problems:
            self.logs.settle()
            return seen.as_given(problems)
        problems = await self._hand_out(snapshot, steps, identity.identity)
        if problems:
            self._listeners.close([opening.listen.key for opening in steps.opened])
            self.logs.settle()
            self._zones.settle(self.snapshot)
            return problems
        self._commit(snapshot, steps, identity)
        for notice in seen.notices:
            self.logs.write("warn", f"{notice.message} ({notice.path})")
        return []

    async def check(self, snapshot: Snapshot) -> tuple[list[SettingProblem], list[SettingProblem]]:
        """Give what ``apply`` would refuse this snapshot for, and warnings. Nothing is changed.

        Not tried out is what only workers can tell: whether they take it.
        """
        async with self._applying:
            seen = await self._examine(snapshot)
            problems = [*seen.problems, *self.logs.try_out(seen.snapshot)]
            problems += self._listeners.try_out(seen.steps.opened)
            paths = {key: one.path for key, one in bindings(seen.snapshot).items()}
        texts = [
            (text, paths[new.key])
            for old, new in seen.steps.changed
            for text in Listeners.fixed(old, new)
        ]
        if self.snapshot is None or self.snapshot.process != snapshot.process:
            # what was so before is no news
            too_few = _too_few_files(snapshot.process)
            texts += ((text, "process.worker_connections") for text in too_few)
            texts += ((text, "process.user") for text in seen.identity.warnings)
        warnings = [SettingProblem(path=path, message=text) for text, path in texts]
        warnings += [*seen.notices, *await out_of_reach(snapshot)]
        return seen.as_given(problems), seen.as_given(warnings)

    async def _examine(self, snapshot: Snapshot) -> "_Examined":
        """Find out what can be found out without touching anything."""
        identity = privileges.resolve(snapshot.process, is_root=os.geteuid() == 0)
        located = await asyncio.to_thread(locate, snapshot)
        secured = await asyncio.to_thread(secure, located.snapshot, self.snapshot)
        return _Examined(
            snapshot=secured.snapshot,
            steps=plan(self.snapshot, secured.snapshot),
            identity=identity,
            problems=[*identity.problems, *located.problems, *secured.problems],
            notices=secured.notices,
            paths=located.paths,
        )

    async def _hand_out(
        self, snapshot: Snapshot, steps: Plan, identity: privileges.Identity | None
    ) -> list[SettingProblem]:
        """Have every worker take the snapshot; if one cannot, give them all the old one back."""
        gone = set(steps.closed)
        sockets = {key: s for key, s in self._listeners.sockets.items() if key not in gone}
        load = self._load_of(snapshot, sockets)
        size = self._size(snapshot.process)
        if self._watchdog is None:
            self._watchdog = spawn(self._crew.watch(), name="watchdog")
        messages = await self._crew.apply(load, size=size, identity=identity)
        if not messages:
            self._load, self._identity = load, identity
            return []
        if self._load is not None and self.snapshot is not None:
            size = self._size(self.snapshot.process)
            await self._crew.apply(self._load, size=size, identity=self._identity)
        else:
            await self._crew.dismiss()
            self._crew.listen()
        return [SettingProblem(path="", message=message) for message in dict.fromkeys(messages)]

    def _load_of(self, snapshot: Snapshot, sockets: Mapping[str, socket.socket]) -> Load:
        plain = to_plain(snapshot, reveal=True)
        zones = self._zones.wanted(snapshot)
        if not any(server.speaks_tls for server in snapshot.servers):
            return Load(snapshot=plain, sockets=sockets, zones=zones)
        if self._renewing is None:
            renew = self._crew.renew_tickets
            self._renewing = spawn(self.tickets.watch(renew), name="ticket keys")
        return Load(snapshot=plain, sockets=sockets, zones=zones, tickets=self.tickets.keys)

    def _commit(self, snapshot: Snapshot, steps: Plan, resolved: privileges.Resolved) -> None:
        """Do what can no longer be refused."""
        old = self.snapshot
        self.snapshot = snapshot
        self._listeners.close(steps.closed)
        self._zones.settle(snapshot)
        self.logs.use(snapshot)
        if old is None:
            # nginx's banner, by which people and tools see that a daemon has started
            self.logs.write("notice", f"postroad/{proxycore.__version__}")
        for former, listen in steps.changed:
            for warning in self._listeners.change(former, listen):
                self.logs.write("warn", warning)
        while self._listeners.ignored:
            self.logs.write("warn", self._listeners.ignored.pop())
        for warning in _too_few_files(snapshot.process):
            self.logs.write("warn", warning)
        for warning in resolved.warnings:
            self.logs.write("warn", warning)
        if old is not None and (old.process.user, old.process.group) != (
            snapshot.process.user,
            snapshot.process.group,
        ):
            self.logs.write("warn", "running workers keep their user until they are restarted")
        self._listeners.drop_inherited()
        self.pid_file.use(snapshot.process.pid)
        for opening in steps.opened:
            self.logs.write("notice", f"listening on {opening.listen.key}")
        for key in steps.closed:
            self.logs.write("notice", f"no longer listening on {key}")
        self._crew.listen()

    def _size(self, process: Process) -> int:
        if self._is_resting:
            return 0
        wanted = self._workers_wanted or process.worker_processes
        return wanted or len(os.sched_getaffinity(0))

    # --- orders -------------------------------------------------------------------------------

    async def invalidate(
        self, generation: int, *, since: int = UNTOLD, logins: tuple[str, ...] = ()
    ) -> None:
        """Have every worker forget cached verdicts; afterwards ``generation`` is in force.

        since, logins: as contract.messages.Invalidate has them.
        """
        async with self._invalidating:
            await self._crew.invalidate(generation, since, logins)
            self.generation = generation

    async def retire_former(self, shutdown_timeout_ms: int) -> None:
        """Cut what still runs under former snapshots after this time; 0 lets it run."""
        if shutdown_timeout_ms:
            await self._crew.ask_all({"type": "retire", "shutdown_timeout_ms": shutdown_timeout_ms})

    async def renew_token(self, token: Secret) -> None:
        """Use another node token."""
        await self._crew.renew_token(token)

    async def renew_tickets(self, number: int, keys: tuple[Secret, ...]) -> GivenKeys:
        """Have every worker use ticket keys of the appliance."""
        given = self.tickets.take(number, keys)
        if self._renewing is not None:
            await self._crew.renew_tickets(self.tickets.keys())
        return given

    async def kick(self, sessions: tuple[str, ...], waiting_from: str = "") -> int:
        """Disconnect these sessions, and those before login of an address; gives how many."""
        affected = await self._crew.kick(sessions)
        return affected + (await self._crew.turn_away(waiting_from) if waiting_from else 0)

    async def survey(self, number: int, most: int) -> Waiting:
        """Look at the sessions that have not logged in."""
        return add_up(number, most, await self._crew.survey(most))

    def reopen_logs(self) -> None:
        """Open the log files again, after a rotation."""
        self.logs.reopen()
        self.logs.write("notice", "reopened logs")

    # --- the end ------------------------------------------------------------------------------

    async def drain(self) -> None:
        """Stop accepting and let sessions finish; returns when the last worker is gone."""
        self.ending = True
        self._listeners.close_all()
        process = Process() if self.snapshot is None else self.snapshot.process
        await self._crew.drain(shutdown_timeout_ms=process.worker_shutdown_timeout_ms)

    async def stop(self) -> None:
        """End everything that is left, sessions included."""
        self.ending = True
        self._listeners.close_all()
        await self._crew.stop()
        for task in (self._watchdog, self._renewing):
            if task is not None:
                task.cancel()
        self._zones.settle(None)
        self.pid_file.remove()
