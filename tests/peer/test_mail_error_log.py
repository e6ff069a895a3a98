"""mail_error_log: which message goes where, and what a syslog datagram looks like."""

import contextlib
import re
import socket
from collections import Counter
from collections.abc import Generator, Iterable

import pytest

from tests.peer.numbered import holds, like, ok, unlike
from tests.peer.stage import Stage, staged, to
from tests.support import proxies
from tests.support.stub_backends import ImapStub
from tests.support.stub_syslog import StubSyslog
from tests.support.talk import Imap
from tests.support.wait import eventually

_MAIN = """
error_log @DIR@/logs/global_1.log info;
error_log @DIR@/logs/global_2.log info;
error_log syslog:server=127.0.0.1:@GLOBAL@ info;
"""
_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    proxy_timeout 15s;
    server {
        listen @1@;
        protocol imap;
        error_log @DIR@/logs/debug.log debug;
        error_log @DIR@/logs/info.log info;
        error_log syslog:server=127.0.0.1:@FIRST@ info;
        error_log stderr info;
    }
    server {
        listen @2@;
        protocol imap;
        error_log syslog:server=127.0.0.1:@SECOND@ info;
    }
"""
_BANNER = {proxies.NGINX: r"nginx/\d+\.\d+", proxies.OURS: r"postroad/\d+\.\d+"}
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_DATAGRAM = re.compile(
    r"^<(?P<priority>\d{1,3})>(?P<month>\w{3}) (?P<day>[ \d]\d) (?P<hour>\d\d):(?P<minute>\d\d):"
    r"(?P<second>\d\d) (?P<host>\S+) (?P<tag>\w{1,32}): (?P<text>.*)",
    re.DOTALL,
)


@pytest.fixture(scope="module")
def streams() -> Generator[dict[str, StubSyslog], None, None]:
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(StubSyslog()) for name in ("GLOBAL", "FIRST", "SECOND")}


@pytest.fixture(scope="module")
def stage(
    kind: str, imap_backend: ImapStub, streams: dict[str, StubSyslog]
) -> Generator[Stage, None, None]:
    for stream in streams.values():
        stream.lines.clear()
    words = {name: stream.port for name, stream in streams.items()}
    with staged(kind, _MAIL, lambda _: to(imap_backend), main=_MAIN, words=words) as running:
        yield running


def _file(stage: Stage, name: str) -> str:
    return (stage.proxy.directory / "logs" / name).read_text(encoding="utf-8")


def _levels(lines: Iterable[str]) -> Counter[str]:
    return Counter(found[1] for line in lines if (found := re.search(r"\[(\w+)\] \d+#", line)))


def test_01_to_08_levels_and_targets(stage: Stage) -> None:
    with Imap(stage.ports[0]) as talk:
        ok(1, talk)
    console = eventually(
        lambda: text if "[info]" in (text := stage.proxy.console.read_text()) else "", "stderr"
    )
    like(2, _file(stage, "debug.log"), r"\[debug\]")
    like(3, _file(stage, "info.log"), r"\[info\]")
    unlike(4, _file(stage, "info.log"), r"\[debug\]")
    like(5, console, r"\[info\]")
    unlike(6, console, r"\[debug\]")
    banner = _BANNER[stage.proxy.name]
    like(7, _file(stage, "global_1.log"), banner)
    like(8, _file(stage, "global_2.log"), banner)


def test_09_equal_files(stage: Stage) -> None:
    first, second = (_levels(_file(stage, f"global_{n}.log").splitlines()) for n in (1, 2))
    holds(9, first == second and first["notice"] + first["info"] > 0, (first, second))


def test_10_to_28_datagram(stage: Stage, streams: dict[str, StubSyslog]) -> None:
    before = len(streams["SECOND"].lines)
    with stage.imap(2):
        pass
    lines = streams["SECOND"].lines
    holds(10, eventually(lambda: len(lines) > before, "a datagram"))
    found = _DATAGRAM.match(lines[before])
    assert found, lines[before]
    holds(11, found["priority"])
    severity, facility = int(found["priority"]) % 8, int(found["priority"]) // 8
    holds(12, 0 <= severity <= 7)
    holds(13, 0 <= facility <= 23)
    # nginx says local7 and info unless told otherwise
    holds(13, (facility, severity) == (23, 6), (facility, severity))
    holds(14, found["month"])
    holds(15, found["month"] in _MONTHS)
    holds(16, found["day"])
    holds(17, 1 <= int(found["day"]) <= 31)
    holds(18, found["hour"])
    holds(19, int(found["hour"]) < 24)
    holds(20, found["minute"])
    holds(21, int(found["minute"]) < 60)
    holds(22, found["second"])
    holds(23, int(found["second"]) < 60)
    holds(24, found["host"])
    holds(25, found["host"] == socket.gethostname().lower(), found["host"])
    holds(26, found["tag"])
    like(27, found["tag"], r"^\w{1,32}$")
    holds(28, found["text"])


def test_29_global_stream_is_the_global_file(stage: Stage, streams: dict[str, StubSyslog]) -> None:
    holds(29, _become_equal(stage, "global_1.log", streams["GLOBAL"]))


def test_30_server_stream_is_the_server_file(stage: Stage, streams: dict[str, StubSyslog]) -> None:
    holds(30, _become_equal(stage, "info.log", streams["FIRST"]))


def _become_equal(stage: Stage, name: str, stream: StubSyslog) -> bool:
    def compare() -> bool:
        logged = _levels(_file(stage, name).splitlines())
        return bool(logged) and logged == _levels(stream.lines)

    return eventually(compare, f"{name} and its stream hold the same")
