"""A node that an appliance steers, and that lives on from its disk when there is none."""

import asyncio
import os
import time
from collections.abc import Iterator
from typing import Final

import proxycore
from proxycore.contract.codec import Invalid
from proxycore.contract.messages import (
    UNTOLD,
    Ack,
    Apply,
    Challenges,
    Check,
    Checked,
    CommandResult,
    Drain,
    Heartbeat,
    Hello,
    Invalidate,
    Kick,
    Nack,
    Sessions,
    SettingProblem,
    Stats,
    Survey,
    Tickets,
    Waiting,
)
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import Snapshot, from_plain
from proxycore.daemon.backlog import KEEP_S, Backlog
from proxycore.daemon.challenges import Responder
from proxycore.daemon.link import Link
from proxycore.daemon.logs import ErrorLogs
from proxycore.daemon.state import Revision, StateDir, TokenFile
from proxycore.daemon.supervisor import Supervisor
from proxycore.daemon.tasks import spawn

RETRY_S: Final = 2.0
"""Between attempts to serve the saved revision, when something stands in its way at start."""

_FIRST_RETRY_S: Final = 1.0
_MAX_RETRY_S: Final = 8.0
"""Between attempts at what this machine refused: who frees a port sees it served within 10 s."""


class Managed:
    """The mode of ``serve --control URL`` (life.Mode), and the node of its link (link.Node)."""

    def __init__(
        self, url: str, token: TokenFile, state: StateDir, logs: ErrorLogs, *, workers: int | None
    ) -> None:
        """``url`` as link.link_url gives it."""
        self.supervisor = Supervisor(
            logs,
            workers=workers,
            node_token=token.token,
            ticket_secret=state.ticket_secret(),
            ticket_keys=state.given_keys(),
            keeps_history=True,
        )
        self.supervisor.is_draining = state.is_drained
        self._state = state
        self._logs = logs
        self._link = Link(url, token, self, logs, self.supervisor.history)
        self._responder = Responder(logs)
        self._linking: asyncio.Task[None] | None = None
        self._running: Revision | None = None
        self._refused: Apply | None = None
        """What is tried again, because only this machine is in its way."""
        self._unsaved = ""
        """Why what runs is not on disk."""
        self._applying = asyncio.Lock()
        self._draining = asyncio.Lock()
        self._seq = 0
        self._born_mono = time.monotonic()
        self._backlog = Backlog()
        self._keeping: asyncio.Task[None] | None = None

    # --- life.Mode ----------------------------------------------------------------------------

    async def start(self) -> bool:
        """Serve the last good revision, if there is one, and look for the appliance."""
        try:
            saved = self._state.load()
        except ValueError as error:
            self._logs.write("error", str(error))
            saved = None
        is_heir = self.supervisor.is_heir
        serves = saved is not None and await self._serve_saved(saved)
        if is_heir and not serves:
            self._logs.write("emerg", "what the former program served is not what was saved last")
            return False
        if saved is not None and not serves:
            spawn(self._keep_trying(saved), name="serve saved revision")
        return True

    async def speak(self) -> None:
        """Look for the appliance."""
        if self._linking is not None:
            return
        if self.supervisor.generation == UNTOLD:
            await self.supervisor.invalidate(0)
        self._linking = spawn(self._link.run(), name="control link")
        if self._keeping is None:
            self._keeping = spawn(self._keep_totals(), name="totals for later")

    async def fall_silent(self) -> None:
        """Part from the appliance: a node has one link, and it is the successor's.

        Nobody tells us of changes any more, so nothing may be decided from a cache either.
        """
        linking, self._linking = self._linking, None
        if linking is None:
            return
        await self._link.finish()
        linking.cancel()
        await asyncio.wait([linking])
        await self._responder.close()
        async with self._applying:
            # what was under way has ended: two programs do not write the same file
            self._refused = None
            self._unsaved = ""
            await self.supervisor.invalidate(UNTOLD)

    async def reload(self) -> None:
        """Reconnect now: the configuration is the appliance's."""
        self._link.reconnect_now()

    async def finish(self) -> None:
        """Report the last numbers."""
        await self._link.finish()
        for task in (self._linking, self._keeping):
            if task is not None:
                task.cancel()
        await self._responder.close()

    async def _serve_saved(self, saved: Revision) -> bool:
        async with self._applying:
            if self._running is not None:
                return True
            problems = await self.supervisor.apply(saved.snapshot)
            if problems:
                self._tell(saved.number, problems)
                return False
            self._running = saved
            self._logs.write("notice", f"revision {saved.number} is in force, as last saved")
            return True

    async def _keep_trying(self, saved: Revision) -> None:
        while True:
            await asyncio.sleep(RETRY_S)
            if await self._serve_saved(saved):
                return

    # --- link.Node ----------------------------------------------------------------------------

    def hello(self) -> Hello:
        """Say who this is and what it runs."""
        running = self._running
        return Hello(
            version=proxycore.__version__,
            boot_id=self.supervisor.boot_id,
            hostname=self.supervisor.hostname,
            workers=self.supervisor.workers,
            revision=running.number if running else 0,
            digest=running.digest if running else "",
            generation=self.supervisor.generation,
            tickets=self._tickets,
            challenges=self._responder.digest,
            is_draining=self.supervisor.is_draining,
            load=os.getloadavg()[0],
            clock=time.time(),
        )

    def heartbeat(self) -> Heartbeat:
        """Say what runs now."""
        running = self._running
        return Heartbeat(
            boot_id=self.supervisor.boot_id,
            revision=running.number if running else 0,
            digest=running.digest if running else "",
            generation=self.supervisor.generation,
            workers=self.supervisor.workers,
            sessions=self.supervisor.sessions,
            tickets=self._tickets,
            challenges=self._responder.digest,
            challenge_problems=self._responder.problems,
            is_draining=self.supervisor.is_draining,
            load=os.getloadavg()[0],
            clock=time.time(),
        )

    @property
    def _tickets(self) -> int:
        given = self.supervisor.tickets.given
        return given.number if given else 0

    def totals(self) -> Stats:
        """Say what was counted."""
        self._seq += 1
        return Stats(
            boot_id=self.supervisor.boot_id,
            seq=self._seq,
            values=self.supervisor.totals.values(),
            histograms=self.supervisor.totals.histograms(),
            uptime_s=time.monotonic() - self._born_mono,
        )

    def late_totals(self) -> Iterator[Stats]:
        """Say what was counted while there was no link."""
        return self._backlog.take(time.monotonic())

    async def _keep_totals(self) -> None:
        while True:
            await asyncio.sleep(KEEP_S)
            if not self._link.is_up:
                self._backlog.put(self.totals(), time.monotonic())

    def all_sessions(self) -> Iterator[Sessions]:
        """Tell every live session."""
        self.supervisor.registry.want_full()
        return self.supervisor.registry.take()

    def new_sessions(self) -> Iterator[Sessions]:
        """Tell what changed."""
        return self.supervisor.registry.take()

    async def apply(self, message: Apply) -> Ack | Nack | None:
        """Run this revision and keep it on disk; then, and only then, say so."""
        async with self._applying:
            running = self._running
            if running and (running.number, running.digest) == (message.revision, message.digest):
                return self._ack()
            self._refused = None
            problems, snapshot = _read(message)
            if snapshot is not None:
                problems = await self._run(message, snapshot)
                if problems:
                    self._refused = message
                    retrying = self._keep_trying_refused(message, snapshot, problems)
                    spawn(retrying, name="retry refused revision")
        if problems and self.supervisor.ending:
            return None
        if problems:
            self._tell(message.revision, problems)
            return Nack(revision=message.revision, problems=tuple(problems))
        return self._ack()

    async def check(self, message: Check) -> Checked | None:
        """Say what a configuration would meet on this host; what runs is not touched."""
        problems, snapshot = _read(message)
        warnings: list[SettingProblem] = []
        if snapshot is not None:
            problems, warnings = await self.supervisor.check(snapshot)
        if self.supervisor.ending:
            return None
        return Checked(
            candidate=message.candidate,
            digest=message.digest,
            problems=tuple(problems),
            warnings=tuple(warnings),
        )

    async def _run(self, message: Apply, snapshot: Snapshot) -> list[SettingProblem]:
        problems = await self.supervisor.apply(snapshot)
        if problems:
            return problems
        self._running = Revision(number=message.revision, digest=message.digest, snapshot=snapshot)
        if not self._save():
            spawn(self._keep_saving(self._running), name="save revision")
        self._logs.write("notice", f"revision {message.revision} is in force")
        return []

    async def _keep_trying_refused(
        self, message: Apply, snapshot: Snapshot, told: list[SettingProblem]
    ) -> None:
        delay_s = _FIRST_RETRY_S
        while True:
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _MAX_RETRY_S)
            async with self._applying:
                if self._refused is not message or self.supervisor.ending:
                    return
                problems = await self._run(message, snapshot)
                if not problems:
                    self._refused = None
                    break
            if problems != told:
                told = problems
                self._tell(message.revision, problems)
                await self._link.say(Nack(revision=message.revision, problems=tuple(problems)))
        await self._link.say(self._ack())

    def _ack(self) -> Ack:
        assert self._running is not None
        running = self._running
        return Ack(revision=running.number, digest=running.digest, warning=self._unsaved)

    def _save(self) -> bool:
        """Keep what runs on disk; a failure is told once, and again when it is another one."""
        assert self._running is not None
        before, self._unsaved = self._unsaved, ""
        try:
            self._state.save(self._running)
        except OSError as error:
            self._unsaved = f"revision {self._running.number} runs but could not be saved: {error}"
            if self._unsaved != before:
                self._logs.write("crit", self._unsaved)
        return not self._unsaved

    async def _keep_saving(self, revision: Revision) -> None:
        delay_s = _FIRST_RETRY_S
        while True:
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _MAX_RETRY_S)
            async with self._applying:
                if self._running is not revision or not self._unsaved:
                    return
                if self._save():
                    break
        self._logs.write("notice", f"revision {revision.number} is saved")
        await self._link.say(self._ack())

    def _tell(self, revision: int, problems: list[SettingProblem]) -> None:
        for problem in () if self.supervisor.ending else problems:
            text = f"revision {revision} was not taken: {problem.message} ({problem.path})"
            self._logs.write("error", text)

    async def renew_token(self, token: Secret) -> None:
        """Use another node token."""
        await self.supervisor.renew_token(token)

    async def invalidate(self, message: Invalidate) -> None:
        """Have the workers forget cached verdicts."""
        await self.supervisor.invalidate(
            message.generation, since=message.since, logins=message.logins
        )

    async def renew_tickets(self, message: Tickets) -> None:
        """Use other keys for session tickets, and keep them for a restart."""
        given = await self.supervisor.renew_tickets(message.number, message.keys)
        try:
            self._state.keep_given_keys(given)
        except OSError as error:
            # they are given again; until then a restart costs some resumptions
            self._logs.write("error", f"session ticket keys could not be saved: {error}")

    async def answer_challenges(self, message: Challenges) -> None:
        """Answer authorities by these."""
        await self._responder.use(message)

    async def drain(self, message: Drain) -> None:
        """Accept no connections, or accept them again; what was wanted last outlives a restart."""
        async with self._draining:
            if message.is_wanted == self.supervisor.is_draining:
                return
            problems = await self.supervisor.drain_or_resume(message.is_wanted)
            for problem in problems:
                self._logs.write("error", f"the node stays drained: {problem.message}")
            try:
                self._state.keep_drained(message.is_wanted)
            except OSError as error:
                # it is told again when it connects
                self._logs.write("error", f"that the node drains could not be saved: {error}")
            if not problems:
                said = "draining" if message.is_wanted else "accepting connections again"
                self._logs.write("notice", f"{said}, as the appliance asks")

    async def kick(self, message: Kick) -> CommandResult:
        """Disconnect sessions."""
        affected = await self.supervisor.kick(message.sessions, message.waiting_from)
        return CommandResult(command=message.command, affected=affected)

    async def survey(self, message: Survey) -> Waiting:
        """Look at the sessions that have not logged in."""
        return await self.supervisor.survey(message.number, message.most)


def _read(message: Apply | Check) -> tuple[list[SettingProblem], Snapshot | None]:
    """Read a revision's document; one with faults has them wherever it is tried."""
    try:
        snapshot = from_plain(message.snapshot)
    except Invalid as error:
        return [SettingProblem(path=p.path, message=p.message) for p in error.problems], None
    if snapshot.digest() != message.digest:
        text = "the digest does not match: node and appliance understand the revision apart"
        return [SettingProblem(path="", message=text)], None
    if any(server.groups for server in snapshot.servers):
        # a node is sent its own part; what is for others may clash with that
        return [SettingProblem(path="", message="it is not this node's part of the revision")], None
    return [], snapshot
