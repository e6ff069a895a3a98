"""nginx's mail_error_log.t: global logs, a server's own instead of them, and syslog.

Numbers are those of the list in the specification.
"""

import re
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import proxycore
from tests.support.ports import free_port
from tests.support.wait import eventually
from tests.unit.proxycore.daemon.serve import Imap, Serve

CONFIG = """\
worker_processes 1;
error_log @DIR@/error.log info;
error_log @DIR@/second.log info;
error_log syslog:server=127.0.0.1:{global_port} info;
events {{ }}
mail {{
    auth_http 127.0.0.1:9/auth;
    server {{
        listen 127.0.0.1:{first};
        protocol imap;
        error_log @DIR@/debug.log debug;
        error_log @DIR@/info.log info;
        error_log syslog:server=127.0.0.1:{own_port} info;
        error_log stderr info;
    }}
    server {{
        listen 127.0.0.1:{second};
        protocol imap;
        error_log syslog:server=127.0.0.1:{other_port},tag=other info;
    }}
}}
"""


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Syslogs:
    """Three syslog servers; what each of them heard."""

    def __init__(self) -> None:
        self.sockets = []
        for _ in range(3):
            listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            listening.bind(("127.0.0.1", 0))
            listening.setblocking(False)
            self.sockets.append(listening)
        self.ports = [listening.getsockname()[1] for listening in self.sockets]
        self._heard: list[list[str]] = [[], [], []]

    def heard(self, number: int) -> list[str]:
        try:
            while True:
                self._heard[number].append(self.sockets[number].recv(9000).decode())
        except BlockingIOError:
            return self._heard[number]


@pytest.fixture
def syslogs() -> Iterator[Syslogs]:
    three = Syslogs()
    yield three
    for listening in three.sockets:
        listening.close()


def levels(text: str) -> Counter[str]:
    return Counter(re.findall(r"\[([a-z]+)\] \d+#0: ", text))


def test_mail_error_log(syslogs: Syslogs) -> None:
    first, second = free_port(), free_port()
    global_port, own_port, other_port = syslogs.ports
    text = CONFIG.format(
        first=first,
        second=second,
        global_port=global_port,
        own_port=own_port,
        other_port=other_port,
    )
    with Serve(text) as daemon:
        with Imap(first) as session:  # 1: it is greeted
            session.ask("a LOGIN alice secret")
        with Imap(second):
            pass

        def file(name: str) -> str:
            return (Path(daemon.directory) / name).read_text()

        eventually(lambda: 'login: "alice"' in file("info.log"), "the end is logged")
        eventually(lambda: len(syslogs.heard(2)) >= 1, "10: the second server's log is heard")
        assert "debug" in levels(file("debug.log"))  # 2
        assert levels(file("info.log"))["info"] >= 1  # 3
        assert "debug" not in levels(file("info.log"))  # 4
        console = daemon.console.read_text()
        assert levels(console)["info"] == levels(file("info.log"))["info"]  # 5
        assert "debug" not in levels(console)  # 6
        banner = f"postroad/{proxycore.__version__}"
        assert banner in file("error.log")  # 7
        assert banner in file("second.log")  # 8
        assert file("error.log") == file("second.log")  # 9
        assert "127.0.0.1" not in file("error.log").replace("listening on 127.0.0.1", "")
        for datagram in syslogs.heard(2):
            judge(datagram, "other")  # 11 to 28
        whole = eventually(
            lambda: levels("\n".join(syslogs.heard(0))) == levels(file("error.log")), "29"
        )
        assert whole
        assert levels("\n".join(syslogs.heard(1))) == levels(file("info.log"))  # 30


def judge(datagram: str, tag: str) -> None:
    found = re.fullmatch(
        r"<(\d{1,3})>([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\S+) (\w{1,32}): (.+)",
        datagram,
    )
    assert found, datagram
    priority, month, day, hour, minute, second, host, sent_tag, _ = found.groups()
    assert 0 <= int(priority) // 8 <= 23
    assert month in [
        "Jan",
        "Feb",
        "Mar",
        "Apr",
        "May",
        "Jun",
        "Jul",
        "Aug",
        "Sep",
        "Oct",
        "Nov",
        "Dec",
    ]
    assert 1 <= int(day) <= 31
    assert int(hour) < 24
    assert int(minute) < 60
    assert int(second) < 60
    assert host == socket.gethostname().lower()
    assert sent_tag == tag


def test_lines_of_a_session_follow_the_server_s_logs_after_a_reload(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "own.log"
    head = "worker_processes 1; error_log @DIR@/error.log info; mail { auth_http 127.0.0.1:9;"
    block = f"server {{ listen 127.0.0.1:{port}; protocol imap;"
    with Serve(f"{head}{block} }} }}") as daemon:
        with Imap(port) as session:
            daemon.configure(f"{head}{block} error_log {log} info; }} }}")
            daemon.signal(signal.SIGHUP)
            assert daemon.log_contains("is in force")
            session.ask("a LOGIN alice secret")
        eventually(lambda: "client: 127.0.0.1" in log.read_text(), "its end is logged anew")
