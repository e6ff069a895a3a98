"""Lines to syslog servers, in nginx's form; a server that is away costs its messages only."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxycore.contract.snapshot import ErrorLog
from proxycore.daemon.logs import ErrorLogs
from proxycore.daemon.syslog import Syslog
from tests.unit.proxycore.daemon.test_logs import naming, take


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(2)
        yield listening


def at(server: socket.socket) -> str:
    return f"syslog:127.0.0.1:{server.getsockname()[1]}"


def test_a_datagram_is_as_nginx_s(server: socket.socket) -> None:
    log = ErrorLog(target=at(server), level="info")
    syslog = Syslog(log, "Mail.Example")
    assert syslog.send("info", 0.0, "the line") == ""
    syslog.close()
    text = server.recv(4096).decode()
    # local7 is 23, info is 6
    assert re.fullmatch(
        r"<190>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d mail\.example nginx: the line", text
    )


@pytest.mark.parametrize(
    ("level", "facility", "priority"),
    [("emerg", "kern", 0), ("debug", "mail", 23), ("error", "local0", 131)],
)
def test_the_priority_is_of_facility_and_level(
    server: socket.socket, level: str, facility: str, priority: int
) -> None:
    syslog = Syslog(ErrorLog(target=at(server), syslog_facility=facility), "h")
    syslog.send(level, 0.0, "x")
    syslog.close()
    assert server.recv(4096).startswith(b"<%d>" % priority)


def test_tag_and_no_host_name(server: socket.socket) -> None:
    log = ErrorLog(target=at(server), syslog_tag="front_1", syslog_hostname=False)
    syslog = Syslog(log, "h")
    syslog.send("error", 0.0, "x")
    syslog.close()
    assert re.search(rb":\d\d front_1: x$", server.recv(4096))


def test_a_unix_socket_that_is_made_anew_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    syslog = Syslog(ErrorLog(target=f"syslog:unix:{path}"), "h")
    assert "No such file" in syslog.send("error", 0.0, "lost")
    for text in ("one", "two"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.bind(str(path))
            server.settimeout(2)
            # the first after a restart finds the old one dead
            assert "" in (syslog.send("error", 0.0, text), syslog.send("error", 0.0, text))
            assert server.recv(4096).endswith(text.encode())
        path.unlink()
    syslog.close()


def test_an_outage_is_told_once_and_not_to_the_one_who_is_away(tmp_path: Path) -> None:
    logs, file = ErrorLogs(), tmp_path / "error.log"
    away = ErrorLog(target=f"syslog:unix:{tmp_path}/none", level="info")
    take(logs, away, ErrorLog(target=str(file), level="info"))
    for _ in range(3):
        logs.write("error", "something")
    logs.close()
    told = file.read_text()
    assert told.count("something") == 3
    assert told.count(f'send() to "{away.target}" failed (2: No such file or directory)') == 1


def test_a_syslog_server_of_no_known_name_is_a_problem() -> None:
    logs = ErrorLogs()
    (problem,) = logs.prepare(naming(ErrorLog(target="syslog:nowhere.invalid:514")))
    assert problem.path == "process.error_logs[0].target"
    assert problem.message == 'host not found in syslog server "nowhere.invalid:514"'


def test_two_tags_at_one_server_are_two_logs(server: socket.socket) -> None:
    logs = ErrorLogs()
    first = ErrorLog(target=at(server), level="info", syslog_tag="a")
    take(logs, first, ErrorLog(target=at(server), level="info", syslog_tag="b"))
    logs.write("info", "x")
    logs.close()
    tags = {server.recv(4096).decode().split(": ")[0][-1] for _ in range(2)}
    assert tags == {"a", "b"}
