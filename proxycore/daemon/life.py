"""The life of the supervisor process, from start to exit code. Signals are nginx's:

    HUP   standalone: read the configuration again; managed: reconnect now
    QUIT  stop accepting, let sessions finish (worker_shutdown_timeout cuts them), end
    TERM  end now (INT too)
    USR1  open the log files again
    USR2  start a new program, from disk, beside this one (``upgrade``)
    WINCH stop accepting and let sessions finish, but stay; HUP takes it back

RTMIN, which nginx does not know, has a traceback written to stderr; workers do the same.

A handler only puts the signal into a queue; the loop of ``_Life`` does the work. What takes time
runs beside it, so TERM is heard at any moment.
"""

import asyncio
import faulthandler
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from proxycore.contract.messages import HttpAddress
from proxycore.daemon.frames import BrokenStream
from proxycore.daemon.handover import Predecessor
from proxycore.daemon.logs import ErrorLogs, traceback_line
from proxycore.daemon.metrics import Metrics
from proxycore.daemon.privileges import DUMP_SIGNAL, prepare_process
from proxycore.daemon.supervisor import Supervisor
from proxycore.daemon.tasks import spawn
from proxycore.daemon.upgrade import Upgrade

_SIGNALS = (
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
)

EXIT_REFUSED = 1
"""The configuration, or its start, was refused; what was wrong has been said."""


class Mode(Protocol):
    """Where configurations come from: a file, or an appliance."""

    supervisor: Supervisor

    async def start(self) -> bool:
        """Begin to serve; False when that is not possible (and has been explained)."""

    async def speak(self) -> None:
        """Be the one that speaks for the node: towards an appliance, if there is one."""

    async def fall_silent(self) -> None:
        """Stop speaking for the node: another program does."""

    async def reload(self) -> None:
        """Do what HUP asks."""

    async def finish(self) -> None:
        """Say what is left to say, after the last worker is gone."""


MakeMode = Callable[[ErrorLogs], Mode]


def run(make_mode: MakeMode, metrics: HttpAddress | None = None) -> int:
    """Run a node to its end; gives the exit code. metrics: where to serve them, if anywhere."""
    prepare_process()
    faulthandler.register(DUMP_SIGNAL, chain=False)
    return asyncio.run(_live(make_mode, metrics))


async def _live(make_mode: MakeMode, metrics: HttpAddress | None) -> int:
    logs = ErrorLogs()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: _tell_bug(logs, context))
    try:
        predecessor = Predecessor.from_environment()
    except (OSError, BrokenStream, KeyError) as error:
        logs.write("emerg", f"nothing could be taken over: {error}")
        return EXIT_REFUSED
    mode = make_mode(logs)
    told = Metrics(metrics, mode.supervisor.totals, logs) if metrics else None
    served = await _Life(mode, logs, Upgrade(mode, logs, predecessor), told).live()
    logs.write("notice", "exit")
    logs.close()
    return 0 if served else EXIT_REFUSED


class _Life:
    def __init__(
        self, mode: Mode, logs: ErrorLogs, upgrade: Upgrade, metrics: Metrics | None
    ) -> None:
        self._mode = mode
        self._upgrade = upgrade
        self._logs = logs
        self._metrics = metrics
        self._measuring: asyncio.Task[None] | None = None
        self._draining = False
        self._reloading = False
        self._reload_again = False
        self._happened: asyncio.Queue[signal.Signals | bool] = asyncio.Queue()
        """Signals; or the end: whether it is a good one."""

    async def live(self) -> bool:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._happened.put_nowait, number)
        self._beside(self._start(), "start")
        while True:
            event = await self._happened.get()
            if isinstance(event, bool):
                served = event
                break
            self._logs.write("notice", f"signal {event.value} ({event.name}) received")
            if event in (signal.SIGTERM, signal.SIGINT):
                served = True
                break
            self._obey(event)
        await self._upgrade.close()
        await self._mode.supervisor.stop()
        await self._mode.finish()
        if self._measuring is not None:
            self._measuring.cancel()
        return served

    def _obey(self, event: signal.Signals) -> None:
        if event == signal.SIGUSR1:
            self._mode.supervisor.reopen_logs()
        elif event == signal.SIGHUP and not self._draining:
            self._reload_again = True
            if not self._reloading:
                self._reloading = True
                spawn(self._reload(), name="reload")
        elif event == signal.SIGUSR2:
            self._upgrade.begin()
        elif event == signal.SIGWINCH and not self._draining:
            spawn(self._mode.supervisor.rest(), name="rest")
        elif event == signal.SIGQUIT and not self._draining:
            self._draining = True
            self._beside(self._drain(), "drain")

    async def _start(self) -> None:
        if not await self._mode.start():
            self._happened.put_nowait(False)
            return
        if self._metrics is not None:
            # after the mail ports, which are more important to have
            self._measuring = spawn(self._metrics.serve(), name="metrics")
        await self._upgrade.take_over()

    async def _reload(self) -> None:
        """Reload, and once more for all HUPs that came meanwhile."""
        try:
            while self._reload_again and not self._draining:
                self._reload_again = False
                await self._mode.supervisor.wake()
                await self._mode.reload()
        finally:
            self._reloading = False

    async def _drain(self) -> None:
        await self._upgrade.step_down()
        await self._mode.supervisor.drain()
        self._happened.put_nowait(True)

    def _beside(self, work: Coroutine[Any, Any, None], name: str) -> None:
        def finished(task: "asyncio.Task[None]") -> None:
            # a start or drain that breaks would leave a node that neither serves nor ends
            if not task.cancelled() and task.exception() is not None:
                self._happened.put_nowait(False)

        spawn(work, name=name).add_done_callback(finished)


def _tell_bug(logs: ErrorLogs, context: dict[str, Any]) -> None:
    error = context.get("exception")
    detail = f": {traceback_line(error)}" if isinstance(error, BaseException) else ""
    logs.write("alert", f"internal error: {context.get('message', '')}{detail}")
