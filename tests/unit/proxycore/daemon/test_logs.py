"""Lines as nginx writes them, to every target that wants them, one per event."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.contract.protocol import Protocol
from proxycore.contract.snapshot import AuthHttp, ErrorLog, Process, Server, Snapshot
from proxycore.daemon.logs import ErrorLogs, threshold, traceback_line


@pytest.fixture
def logs():
    opened = ErrorLogs()
    yield opened
    opened.close()


def to(path: Path, level: str) -> ErrorLog:
    return ErrorLog(target=str(path), level=level)


def naming(*wanted: ErrorLog, **servers: tuple[ErrorLog, ...]) -> Snapshot:
    return Snapshot(
        process=Process(error_logs=wanted),
        servers=tuple(
            Server(
                name=name,
                protocol=Protocol.IMAP,
                listens=(),
                auth_http=AuthHttp(host="a"),
                error_logs=logs,
            )
            for name, logs in servers.items()
        ),
    )


def take(logs: ErrorLogs, *wanted: ErrorLog, **servers: tuple[ErrorLog, ...]) -> None:
    snapshot = naming(*wanted, **servers)
    assert logs.prepare(snapshot) == []
    logs.use(snapshot)


def test_a_line_is_nginxs(logs, tmp_path) -> None:
    take(logs, to(tmp_path / "log", "info"))
    logs.write_lines(995, [("info", 0.0, "*1 client logged in, client: 127.0.0.1", "")])
    line = (tmp_path / "log").read_text()
    assert re.fullmatch(
        r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[info\] 995#0: \*1 client logged in, client: 127.0.0.1\n",
        line,
    )


def test_each_target_has_its_own_level(logs, tmp_path) -> None:
    take(logs, to(tmp_path / "few", "error"), to(tmp_path / "many", "info"))
    for level in ("crit", "error", "warn", "info", "debug"):
        logs.write(level, f"it is {level}")
    assert _levels(tmp_path / "few") == ["crit", "error"]
    assert _levels(tmp_path / "many") == ["crit", "error", "warn", "info"]


def test_a_target_named_twice_gets_a_line_once(logs, tmp_path) -> None:
    take(logs, to(tmp_path / "log", "error"), to(tmp_path / "log", "info"))
    logs.write("error", "once")
    assert _levels(tmp_path / "log") == ["error"]


def _levels(path: Path) -> list[str]:
    return re.findall(r"\[(\w+)\]", path.read_text())


def test_no_log_named_is_stderr(logs, capfd) -> None:
    logs.write("notice", "hello")
    assert "[notice]" in capfd.readouterr().err


@given(st.text())
def test_an_event_is_one_line_without_controls(tmp_path_factory, text) -> None:
    logs, path = ErrorLogs(), tmp_path_factory.mktemp("log") / "log"
    take(logs, to(path, "info"))
    logs.write("info", text)
    logs.close()
    content = path.read_bytes()
    assert content.endswith(b"\n")
    assert not re.search(rb"[\x00-\x1f\x7f]", content[:-1])


def test_a_rotated_file_is_left_alone_after_reopening(logs, tmp_path) -> None:
    path, rotated = tmp_path / "log", tmp_path / "log.1"
    take(logs, to(path, "info"))
    logs.write("info", "before")
    path.rename(rotated)
    logs.write("info", "between")
    logs.reopen()
    logs.write("info", "after")
    assert "before" in rotated.read_text()
    assert "between" in rotated.read_text()
    assert "after" not in rotated.read_text()
    assert "after" in path.read_text()


def test_a_log_that_cannot_be_opened_is_a_problem_with_its_path(logs, tmp_path) -> None:
    good, bad = to(tmp_path / "log", "info"), to(tmp_path / "missing" / "log", "info")
    before = len(os.listdir("/proc/self/fd"))
    (problem,) = logs.prepare(naming(good, bad))
    assert problem.path == "process.error_logs[1].target"
    assert "No such file or directory" in problem.message
    logs.settle()
    assert len(os.listdir("/proc/self/fd")) == before


def test_files_are_not_for_everybody(logs, tmp_path) -> None:
    take(logs, to(tmp_path / "log", "info"))
    assert (tmp_path / "log").stat().st_mode & 0o007 == 0


def test_the_chattiest_log_decides_what_is_composed(tmp_path) -> None:
    assert threshold(()) == 6
    assert threshold((to(tmp_path, "error"), to(tmp_path, "debug"))) == 8


def test_a_server_s_own_logs_are_in_the_place_of_the_process_s(logs, tmp_path) -> None:
    own, common = to(tmp_path / "own", "debug"), to(tmp_path / "common", "info")
    take(logs, common, one=(own,), other=())
    lines = [("debug", 0.0, f"of {name or 'nobody'}", name) for name in ("one", "other", "", "x")]
    logs.write_lines(1, [*lines, *(("info", at, text, name) for _, at, text, name in lines)])
    assert _levels(tmp_path / "own") == ["debug", "info"]
    assert re.findall(r"of (\w+)", (tmp_path / "common").read_text()) == ["other", "nobody", "x"]


def test_a_server_s_log_that_cannot_be_opened_is_a_problem_with_its_path(logs, tmp_path) -> None:
    bad = to(tmp_path / "missing" / "log", "info")
    (problem,) = logs.prepare(naming(a=(), b=(bad,)))
    assert problem.path == "servers[1].error_logs[0].target"


def test_a_traceback_is_one_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        line = traceback_line(error)
    assert "\n" not in line
    assert "ValueError: two" in line


def test_trying_out_leaves_no_file_and_says_what_preparing_would(logs, tmp_path) -> None:
    take(logs, to(tmp_path / "log", "info"))
    kept = tmp_path / "kept"
    kept.touch()
    wanted = naming(
        to(tmp_path / "new", "info"), to(kept, "info"), to(tmp_path / "none" / "log", "info")
    )
    (problem,) = logs.try_out(wanted)
    assert problem.path == "process.error_logs[2].target"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "log"]
    logs.write("error", "still here")
    assert "still here" in (tmp_path / "log").read_text()
