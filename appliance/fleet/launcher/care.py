"""Keep programs running: start them, show their output, replace the dead, stop them all.

Every program has its own session, so a Ctrl-C at the terminal reaches only the launcher, which
then stops the programs in order: the web server after those that talk to it.
"""

import asyncio
import contextlib
import os
import signal
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from django.conf import settings

from appliance.fleet.launcher.programs import AUTH, WEB, Program, environment

Say = Callable[[str], None]

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 10.0
STEADY_S: Final = 30.0
"""A program that ran for so long is started again at once when it ends."""

STOP_S: Final = 4.4
"""Time that all programs together have to end by themselves; 5 s are promised."""
STOP_CALLERS_S: Final = 3.0
"""Of it, what those have that talk to the web server, which goes after them."""

_LINE_LIMIT: Final = 2**20
_CHILD: Final = Path(__file__).with_name("child.py")


class Keeper:
    """Keep one program running until told to stop."""

    def __init__(self, program: Program, say: Say) -> None:
        self.program = program
        self._say = say
        self._process: Process | None = None
        self._stop = asyncio.Event()

    @property
    def pid(self) -> int:
        """Give the process id; 0 while it does not run."""
        return self._process.pid if self._process and self._process.returncode is None else 0

    async def keep(self) -> None:
        """Run the program, and again whenever it ends, with growing pauses."""
        pause_s = FIRST_PAUSE_S
        while not self._stop.is_set():
            started = time.monotonic()
            status = await self._run_once()
            if self._stop.is_set():
                return
            if time.monotonic() - started > STEADY_S:
                pause_s = FIRST_PAUSE_S
            self._say(f"{self.program.name} {_ending(status)}; starting it again in {pause_s:g} s")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stop.wait()
                    return
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _run_once(self) -> int:
        argv = self.program.argv
        self._process = await asyncio.create_subprocess_exec(
            argv[0],
            *("-I", "-S", str(_CHILD), str(os.getpid()), *argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            cwd=settings.BASE_DIR,
            env=environment(self.program),
            start_new_session=True,
            limit=_LINE_LIMIT,
        )
        if self._stop.is_set():
            self.signal(signal.SIGTERM)
        assert self._process.stdout is not None
        await self._show(self._process.stdout)
        return await self._process.wait()

    async def _show(self, output: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await output.readline()
            except ValueError:  # longer than the limit; what follows is shown again
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip()
            if text:
                self._say(f"{self.program.name:<6} | {text}")

    async def stop(self, within_s: float) -> None:
        """End the program: asked first, then made to, together with what it has started."""
        self._stop.set()
        if self._process is None:
            return
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(within_s):
                await self._process.wait()
        except TimeoutError:
            self._say(f"{self.program.name} did not stop in {within_s:g} s and is killed")
        self._kill_group()

    def signal(self, number: int) -> None:
        """Send a signal to the program, if it runs."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _kill_group(self) -> None:
        # whatever a killed supervisor left behind is still in its process group
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


async def stop_all(keepers: Iterable[Keeper]) -> None:
    """Stop everything within STOP_S: what is called after its callers, the others beside them."""
    keepers = list(keepers)
    deadline = asyncio.get_running_loop().time() + STOP_S
    callers = [keeper for keeper in keepers if keeper.program.calls_web]
    web = [keeper for keeper in keepers if keeper.program.name in (AUTH, WEB)]
    others = [keeper for keeper in keepers if keeper not in (*callers, *web)]

    async def callers_then_web() -> None:
        await asyncio.gather(*(keeper.stop(STOP_CALLERS_S) for keeper in callers))
        left_s = deadline - asyncio.get_running_loop().time()
        await asyncio.gather(*(keeper.stop(left_s) for keeper in web))

    await asyncio.gather(callers_then_web(), *(keeper.stop(STOP_S) for keeper in others))


def _ending(status: int) -> str:
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
