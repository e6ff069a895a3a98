"""Where access log lines go: whole, in order, never in the way of anybody, never unnoticed lost."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxycore.contract.protocol import Protocol
from proxycore.contract.snapshot import AccessLog, AuthHttp, Process, Server, Snapshot
from proxycore.daemon.access_lines import MAX_LINES, AccessLines
from proxycore.daemon.access_logs import AccessLogs
from tests.support.wait import eventually


class Told:
    """The error log."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, level: str, message: str) -> None:
        self.lines.append((level, message))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def logs(told: Told) -> Iterator[AccessLogs]:
    opened = AccessLogs(told, most_bytes=1000)
    yield opened
    opened.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "access logs"]


def naming(*targets: str, **servers: tuple[str, ...]) -> Snapshot:
    return Snapshot(
        process=Process(access_logs=tuple(AccessLog(target=target) for target in targets)),
        servers=tuple(
            Server(
                name=name,
                protocol=Protocol.IMAP,
                listens=(),
                auth_http=AuthHttp(host="a"),
                access_logs=tuple(AccessLog(target=target) for target in own),
            )
            for name, own in servers.items()
        ),
    )


def take(logs: AccessLogs, *targets: str, **servers: tuple[str, ...]) -> None:
    snapshot = naming(*targets, **servers)
    assert logs.prepare(snapshot) == []
    logs.use(snapshot)
    logs.settle()


def holds(path: Path, text: str) -> None:
    eventually(lambda: path.exists() and path.read_text() == text, f"{path.name} holds {text!r}")


def fifo(tmp_path: Path) -> tuple[Path, int]:
    """Give a file that takes nothing while its pipe is full, and the descriptor to empty it by."""
    path = tmp_path / "slow"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    filling = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    try:
        while True:
            os.write(filling, b"x" * 4096)
    except BlockingIOError:
        pass
    finally:
        os.close(filling)
    return path, reading


def read_all(reading: int) -> bytes:
    found = b""
    try:
        while data := os.read(reading, 1 << 16):
            found += data
    except BlockingIOError:
        pass
    return found


def test_a_block_s_own_logs_are_written_instead_and_off_means_none(logs, tmp_path) -> None:
    main, own = tmp_path / "main", tmp_path / "own"
    take(logs, str(main), a=(), b=(str(own),), c=("off",))
    for server in ("a", "b", "c", "gone"):
        logs.write(server, f"{server}\n".encode())
    holds(main, "a\ngone\n")
    holds(own, "b\n")


def test_reopening_loses_and_splits_nothing(logs, tmp_path) -> None:
    path = tmp_path / "log"
    take(logs, str(path))
    for i in range(40):
        logs.write("a", b'{"n":%d}\n' % i * 10)
        if i % 4 == 3:
            path.rename(tmp_path / f"log.{i}")
            logs.reopen()
            eventually(lambda: not logs._writer._waiting_bytes, "everything is written")
    files = [tmp_path / f"log.{i}" for i in range(3, 40, 4)]
    for number, file in enumerate(files):
        wanted = "".join(f'{{"n":{number * 4 + i}}}\n' * 10 for i in range(4))
        holds(file, wanted)
    holds(path, "")


def test_a_file_that_stands_still_delays_nobody_and_what_is_dropped_is_counted(
    logs, told, tmp_path
) -> None:
    path, reading = fifo(tmp_path)
    try:
        take(logs, str(path))
        line = b"y" * 99 + b"\n"
        for _ in range(25):
            logs.write("a", line)
        assert told.lines == [("warn", f'access log "{path}" is too slow: records are dropped')]
        found = read_all(reading)
        eventually(lambda: not logs._writer._waiting_bytes, "what waited is written")
        logs.write("a", line)
        assert told.lines[1:] == [
            ("warn", f'15 records of the access log "{path}" were dropped'),
        ]
        eventually(lambda: not logs._writer._waiting_bytes, "the last line is written")
        found += read_all(reading)
        assert found.lstrip(b"x") == line * 11
    finally:
        os.close(reading)


def test_a_worker_s_drops_are_told(logs, told, tmp_path) -> None:
    take(logs, str(tmp_path / "log"))
    logs.write("a", b"one\n", 7)
    assert told.lines == [("warn", "7 access log records were dropped by a worker")]
    holds(tmp_path / "log", "one\n")


def test_a_disk_that_is_full_is_told_once(logs, told) -> None:
    take(logs, "/dev/full")

    def tried() -> bool:
        logs.write("a", b"one\n")
        return bool(told.lines)

    eventually(tried, "the failure is told")
    for _ in range(20):
        logs.write("a", b"one\n")
    assert told.lines == [("alert", 'write() to "/dev/full" failed (28: No space left on device)')]


def test_what_cannot_be_opened_is_a_problem_of_the_setting(logs, tmp_path) -> None:
    missing = tmp_path / "no" / "log"
    (problem,) = logs.prepare(naming(a=(str(missing),)))
    assert problem.path == "servers[0].access_logs[0].target"
    assert problem.message == f'open() "{missing}" failed (2: No such file or directory)'


def test_the_end_writes_what_waits(told, tmp_path) -> None:
    logs = AccessLogs(told)
    take(logs, str(tmp_path / "log"))
    logs.write("a", b"one\n" * 1000)
    logs.close()
    assert (tmp_path / "log").read_bytes() == b"one\n" * 1000
    assert told.lines == []


def test_a_worker_gathers_what_is_wanted_and_bounds_it() -> None:
    woken: list[int] = []
    lines = AccessLines(lambda: woken.append(1))
    own, early = lines.of("b"), lines.of("gone")
    lines.use(naming("x", b=("off",), c=("y",)))
    assert (own.wanted, early.wanted, lines.of("c").wanted) == (False, True, True)
    lines.use(naming(b=("y",)))
    assert (own.wanted, early.wanted, lines.of("c").wanted) == (True, False, False)
    for i in range(MAX_LINES + 5):
        own.write(f"{i}\n")
    assert len(woken) == 1
    ((name, octets, dropped),) = lines.take()
    assert (name, octets.count(b"\n"), dropped) == ("b", MAX_LINES, 5)
    assert list(lines.take()) == []
    assert not own.wants_refusals


def test_for_a_history_all_is_gathered_and_refusals_as_well() -> None:
    woken: list[int] = []
    lines = AccessLines(lambda: woken.append(1), keeps_history=True)
    own, other = lines.of("b"), lines.of("c")
    lines.use(naming(b=("off",)))
    assert own.wanted
    assert other.wants_refusals
    own.write_refusal("one\n")
    other.write_refusal("two\n")
    assert len(woken) == 1
    assert list(lines.take()) == []
    assert lines.refusals.take() == (b"one\ntwo\n", 0)
