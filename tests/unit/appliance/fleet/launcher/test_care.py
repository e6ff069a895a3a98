"""Programs are kept running, shown and stopped; these are real ones."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from appliance.fleet.launcher import care
from appliance.fleet.launcher.care import Keeper, stop_all
from appliance.fleet.launcher.programs import WEB, Program
from tests.support.process import is_alive

STUBBORN = "import signal,time; signal.signal(15, signal.SIG_IGN); print('deaf'); time.sleep(60)"
PATIENT = "import time; print('up'); time.sleep(60)"


class House:
    """Keepers, what they said, and a way to wait for it."""

    def __init__(self, **programs: str) -> None:
        self.lines: list[str] = []
        self.keepers = {
            name: Keeper(Program(name, ("-c", code), calls_web=name == "node"), self.lines.append)
            for name, code in programs.items()
        }

    async def until(self, text: str, times: int = 1) -> None:
        """Wait until a line was said so often."""
        async with asyncio.timeout(10):
            while sum(text in line for line in self.lines) < times:  # noqa: ASYNC110  (probing)
                await asyncio.sleep(0.01)

    def play(self, scene: Callable[[], Awaitable[None]]) -> None:
        """Keep the programs while the scene plays, then stop them."""

        async def run() -> None:
            async with asyncio.TaskGroup() as group:
                for keeper in self.keepers.values():
                    group.create_task(keeper.keep())
                try:
                    await scene()
                finally:
                    await stop_all(self.keepers.values())

        asyncio.run(run())


def test_output_is_marked_with_the_program_s_name() -> None:
    house = House(worker="import time; print('one\\n\\ntwo'); time.sleep(60)")
    house.play(lambda: house.until("two"))
    assert house.lines[:2] == ["worker | one", "worker | two"]


def test_a_program_that_dies_is_started_again_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(care, "FIRST_PAUSE_S", 0.01)
    house = House(beat=PATIENT)

    async def scene() -> None:
        await house.until("beat   | up")
        os.kill(house.keepers["beat"].pid, signal.SIGKILL)
        await house.until("beat   | up", times=2)

    house.play(scene)
    assert "beat was ended by SIGKILL; starting it again in 0.01 s" in house.lines


def test_pauses_grow_and_stopping_does_not_wait_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(care, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(care, "LONGEST_PAUSE_S", 30.0)
    house = House(worker="raise SystemExit(3)")
    house.play(lambda: house.until("again in 0.04 s"))
    assert [line for line in house.lines if "again in 0.01 s" in line]
    assert "worker ended with status 3; starting it again in 0.02 s" in house.lines


def test_a_program_that_does_not_stop_is_killed_with_its_children(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(care, "STOP_S", 0.3)
    parent = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {STUBBORN!r}])\n"
        "print('child', child.pid, flush=True)\n"
    )
    house = House(worker=parent + STUBBORN)
    house.play(lambda: house.until("deaf", times=2))
    assert "worker did not stop in 0.3 s and is killed" in house.lines
    pid = next(int(line.split()[-1]) for line in house.lines if "child" in line)
    asyncio.run(_gone(pid))


async def _gone(pid: int) -> None:
    async with asyncio.timeout(5):
        while is_alive(pid):  # noqa: ASYNC110  (probing a process)
            await asyncio.sleep(0.01)


def test_the_web_server_is_stopped_after_who_calls_it() -> None:
    farewell = (
        "import signal, sys, time\n"
        "signal.signal(15, lambda *_: (print('bye'), sys.exit()))\n"
        "print('up'); time.sleep(60)"
    )
    house = House(**{WEB: farewell, "node": farewell})
    house.play(lambda: house.until("| up", times=2))
    assert [line for line in house.lines if "bye" in line] == ["node   | bye", "web    | bye"]


def test_a_program_does_not_outlive_a_killed_launcher(tmp_path: Path) -> None:
    launcher = (
        "import os,subprocess,sys\n"
        f"child = subprocess.Popen([sys.executable, {str(care._CHILD)!r}, str(os.getpid()),"
        f" sys.executable, '-c', {PATIENT!r}], stdout=subprocess.DEVNULL)\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )

    async def scene() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", launcher, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        pid = int(await process.stdout.readline())
        # it has become the program once its command line says so
        async with asyncio.timeout(10):
            while str(care._CHILD) in Path(f"/proc/{pid}/cmdline").read_text():  # noqa: ASYNC110, ASYNC240
                await asyncio.sleep(0.01)
        process.kill()
        await process.wait()
        await _gone(pid)

    asyncio.run(scene())
