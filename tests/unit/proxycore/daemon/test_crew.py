"""Workers that hang, that never serve, or that cannot take a snapshot. Real processes."""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from proxycore.contract.protocol import Protocol
from proxycore.contract.snapshot import (
    AccessLog,
    AuthHttp,
    ErrorLog,
    Listen,
    Process,
    Server,
    Snapshot,
)
from proxycore.daemon import crew
from proxycore.daemon.logs import ErrorLogs
from proxycore.daemon.privileges import DUMP_SIGNAL
from proxycore.daemon.supervisor import Supervisor
from tests.support import process
from tests.support.ports import free_port
from tests.support.wait import eventually


def snapshot(port: int, log: Path, *, auth_host: str = "127.0.0.1") -> Snapshot:
    return Snapshot(
        servers=(
            Server(
                name="imap",
                protocol=Protocol.IMAP,
                listens=(Listen(address="127.0.0.1", port=port),),
                auth_http=AuthHttp(host=auth_host, port=9),
            ),
        ),
        process=Process(
            worker_processes=1, error_logs=(ErrorLog(target=str(log), level="notice"),)
        ),
    )


_strangers: set[int] = set()


def children() -> list[int]:
    """Give our child processes, without those that other tests keep running."""
    return [pid for pid in process.children_of(os.getpid()) if pid not in _strangers]


def run(scenario: Callable, tmp_path: Path) -> None:
    """Run ``scenario(supervisor, log file, port, port)`` and end the supervisor in any case."""
    ports = free_port(), free_port()

    async def main() -> None:
        logs, bugs = ErrorLogs(), []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: bugs.append(context))
        supervisor = Supervisor(logs)
        try:
            async with asyncio.timeout(30):
                await scenario(supervisor, tmp_path / "log", *ports)
        finally:
            await supervisor.stop()
            logs.close()
        assert bugs == []
        assert children() == []

    _strangers.clear()
    _strangers.update(process.children_of(os.getpid()))
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(main())
    assert len(os.listdir("/proc/self/fd")) == before


async def until(probe: Callable[[], object]) -> None:
    while not probe():  # noqa: ASYNC110  (what is waited for is another process)
        await asyncio.sleep(0.01)


def text(log: Path) -> str:
    return log.read_text()


async def greeting(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await reader.readline()
    finally:
        writer.close()
        await writer.wait_closed()


def test_a_silent_worker_is_killed_and_replaced(tmp_path, monkeypatch) -> None:
    # a worker still reports each second: ten ticks are now two of its reports
    monkeypatch.setattr(crew, "TICK_S", 0.25)
    monkeypatch.setattr(crew, "BOOT_TICKS", 1_000)

    async def scenario(supervisor: Supervisor, log: Path, port: int, new: int) -> None:
        assert await supervisor.apply(snapshot(port, log)) == []
        (worker,) = children()
        os.kill(worker, signal.SIGSTOP)
        await until(lambda: not process.is_alive(worker))
        assert await greeting(port) == b"* OK IMAP4 ready\r\n"
        assert f"worker process {worker} does not answer" in text(log)
        assert children() != [worker]

    run(scenario, tmp_path)


def test_a_worker_shows_where_it_hangs(tmp_path) -> None:
    async def scenario(supervisor: Supervisor, log: Path, port: int, new: int) -> None:
        assert await supervisor.apply(snapshot(port, log)) == []
        (worker,) = children()
        os.kill(worker, DUMP_SIGNAL)
        await until(lambda: "reactor.py" in text(log))
        assert f"[alert] {worker}#0:" in text(log)
        assert process.is_alive(worker)

    run(scenario, tmp_path)


def test_workers_that_never_serve_are_a_problem_not_a_wait(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    async def scenario(supervisor: Supervisor, log: Path, port: int, new: int) -> None:
        (problem,) = await supervisor.apply(snapshot(port, log))
        assert problem.message == "workers end before they serve; the error log says why"
        assert supervisor.workers == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 1)

    run(scenario, tmp_path)


def test_an_interpreter_that_cannot_be_started_is_a_problem(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))

    async def scenario(supervisor: Supervisor, log: Path, port: int, new: int) -> None:
        (problem,) = await supervisor.apply(snapshot(port, log))
        assert "workers end before they serve" in problem.message

    run(scenario, tmp_path)


def test_a_worker_that_dies_while_it_takes_a_snapshot_is_no_refusal(tmp_path) -> None:
    async def scenario(supervisor: Supervisor, log: Path, port: int, new: int) -> None:
        assert await supervisor.apply(snapshot(port, log)) == []
        (worker,) = children()
        os.kill(worker, signal.SIGSTOP)
        applying = asyncio.get_running_loop().create_task(supervisor.apply(snapshot(new, log)))
        await asyncio.sleep(0)
        os.kill(worker, signal.SIGKILL)
        assert await applying == []
        assert await greeting(new) == b"* OK IMAP4 ready\r\n"
        with pytest.raises(ConnectionRefusedError):
            await greeting(port)

    run(scenario, tmp_path)


def test_a_snapshot_that_a_worker_cannot_take_is_taken_back(tmp_path, monkeypatch) -> None:
    async def scenario(supervisor: Supervisor, log: Path, port: int, new: int) -> None:
        assert await supervisor.apply(snapshot(port, log)) == []
        # what reaches the worker is not what the supervisor checked: a fault of ours
        with monkeypatch.context() as broken:
            broken.setattr(
                "proxycore.daemon.supervisor.to_plain",
                lambda *_, **__: {"servers": 3, "process": {"worker_shutdown_timeout_ms": 0}},
            )
            (problem,) = await supervisor.apply(snapshot(new, log))
        assert problem.message == "internal error: Invalid"
        assert await greeting(port) == b"* OK IMAP4 ready\r\n"
        with pytest.raises(ConnectionRefusedError):
            await greeting(new)
        assert await supervisor.apply(snapshot(new, log)) == []
        assert await greeting(new) == b"* OK IMAP4 ready\r\n"

    run(scenario, tmp_path)


def test_totals_survive_a_worker(tmp_path) -> None:
    accepted = "sessions_accepted{server=imap}"
    lost = "sessions_closed{server=imap,reason=worker_lost}"

    async def scenario(supervisor: Supervisor, log: Path, port: int, new: int) -> None:
        assert await supervisor.apply(snapshot(port, log)) == []
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readline()
        await until(lambda: supervisor.totals.values().get(accepted) == 1)
        assert supervisor.sessions == 1
        (worker,) = children()
        os.kill(worker, signal.SIGKILL)
        await until(lambda: supervisor.totals.values().get(lost) == 1)
        assert supervisor.totals.values()[accepted] == 1
        assert supervisor.sessions == 0
        writer.close()
        await greeting(port)
        await until(lambda: supervisor.totals.values()[accepted] == 2)

    run(scenario, tmp_path)


def test_the_first_replacement_is_immediate_and_later_ones_wait_longer() -> None:
    waits = [crew.respawn_delay_s(deaths) for deaths in range(12)]
    assert waits[:4] == [0, 0, 0.25, 0.5]
    assert waits == sorted(waits)
    assert max(waits) == 5


def test_what_is_said_before_the_first_snapshot_is_in_force_is_written_afterwards(
    tmp_path: Path,
) -> None:
    async def scenario(supervisor: Supervisor, log: Path, port: int, _: int) -> None:
        listening = socket.create_server(("127.0.0.1", port))
        supervisor.inherit({f"127.0.0.1:{port}": listening}, b"")
        wanted = snapshot(port, log)
        wanted = replace(
            wanted,
            process=replace(
                wanted.process,
                worker_processes=4,
                error_logs=(ErrorLog(target=str(log), level="info"),),
                access_logs=(AccessLog(target=str(tmp_path / "access")),),
            ),
        )
        # whoever of the four serves first takes it
        with socket.create_connection(("127.0.0.1", port)):
            pass
        assert await supervisor.apply(wanted) == []
        await asyncio.to_thread(
            eventually, lambda: "client closed connection" in log.read_text(), "the client's end"
        )
        await supervisor.drain()

    run(scenario, tmp_path)
    lines = (tmp_path / "log").read_text().splitlines()
    assert "postroad/" in lines[0]
    assert any("connected to 127.0.0.1:" in line for line in lines)
    assert '"reason":"client_closed"' in (tmp_path / "access").read_text()
