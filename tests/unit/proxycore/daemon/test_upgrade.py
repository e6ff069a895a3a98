"""A new program takes over, with nginx's signals, and nobody notices. Real processes."""

import os
import signal
import socket
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support import process
from tests.support.ports import free_port
from tests.support.proxycore import environment
from tests.support.wait import eventually
from tests.unit.proxycore.daemon import serve
from tests.unit.proxycore.daemon.serve import Imap, Serve, everybody_let_in, serves

CONFIG = """\
worker_processes 2;
pid @DIR@/nginx.pid;
error_log @DIR@/error.log info;
events {{ }}
mail {{
    auth_http 127.0.0.1:{auth}/auth;
    server {{ listen 127.0.0.1:{port}; listen unix:@DIR@/imap.sock; protocol imap; }}
}}
"""


class Upgradable(Serve):
    """A daemon whose successors are ended, too."""

    def __init__(self, config: str) -> None:
        super().__init__(config)
        self.pid_file = self.directory / "nginx.pid"
        self.old_pid_file = self.directory / "nginx.pid.oldbin"
        self.unix = self.directory / "imap.sock"

    def pid_in(self, file: Path) -> int:
        return int(file.read_text()) if file.exists() else 0

    def upgrade(self) -> int:
        """Send USR2; gives the process id of the new program once it serves."""
        before = self.log().count("new binary process")
        self.signal(signal.SIGUSR2)
        eventually(
            lambda: " serves" in "".join(self.log().split("new binary process")[before + 1 :]),
            "the new program serves",
        )
        new = self.pid_in(self.pid_file)
        assert new != self.pid
        assert process.is_alive(new)
        return new

    def end(self, new: int) -> None:
        """End a new program that we are not the parent of any more."""
        os.kill(new, signal.SIGTERM)
        eventually(lambda: not process.is_alive(new), "the new program ends")


class Visitors:
    """Connect without a pause; whoever is not greeted is a failure."""

    def __init__(self, port: int) -> None:
        self.greeted = 0
        self.failures: list[str] = []
        self._port = port
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._enough.is_set():
            try:
                with Imap(self._port) as visitor:
                    if visitor.greeting.startswith(b"* OK"):
                        self.greeted += 1
                    else:
                        self.failures.append(f"greeting {visitor.greeting!r}")
            except OSError as error:
                self.failures.append(repr(error))

    def __enter__(self) -> "Visitors":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._enough.set()
        self._thread.join()


@pytest.fixture(scope="module")
def auth_port() -> Generator[int, None, None]:
    with everybody_let_in() as port:
        yield port


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def daemon(auth_port: int, port: int) -> Generator[Upgradable, None, None]:
    with Upgradable(CONFIG.format(auth=auth_port, port=port)) as running:
        yield running


def log_in(port: int) -> Imap:
    client = Imap(port)
    assert client.ask("a LOGIN alice secret").startswith(b"a OK")
    return client


def test_nobody_is_refused_while_a_new_program_takes_over(daemon: Upgradable, port: int) -> None:
    old = daemon.pid
    with Visitors(port) as visitors:
        with log_in(port) as session, Imap(port) as before_login:
            new = daemon.upgrade()
            assert daemon.pid_in(daemon.old_pid_file) == old
            daemon.signal(signal.SIGQUIT)
            eventually(lambda: "does not accept sessions any more" in daemon.log(), "it is told")
            seen = visitors.greeted
            eventually(lambda: visitors.greeted > seen + 20, "the new one serves alone")
            assert session.ask("b NOOP") == b"b OK done\r\n"
            assert before_login.ask("a LOGIN bob secret").startswith(b"a OK")
            with log_in(port) as later:
                assert later.ask("b NOOP") == b"b OK done\r\n"
            assert process.is_alive(old)
        assert daemon.ended(5) == 0
        seen = visitors.greeted
        eventually(lambda: visitors.greeted > seen + 20, "it goes on")
    assert visitors.failures == []
    assert not daemon.old_pid_file.exists()
    assert daemon.pid_in(daemon.pid_file) == new
    daemon.end(new)
    assert not daemon.pid_file.exists()


def test_a_unix_socket_keeps_its_name_until_the_last_program_ends(daemon: Upgradable) -> None:
    new = daemon.upgrade()
    daemon.signal(signal.SIGQUIT)
    assert daemon.ended(5) == 0
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(daemon.unix))
        assert client.recv(4) == b"* OK"
    daemon.end(new)
    assert not daemon.unix.exists()


def test_a_new_program_that_cannot_start_leaves_the_old_one_as_it_was(
    daemon: Upgradable, port: int
) -> None:
    good = daemon.config_file.read_text()
    with log_in(port) as session:
        daemon.configure(good + "nonsense;\n")
        daemon.signal(signal.SIGUSR2)
        eventually(lambda: "exited with code 1" in daemon.log(), "the new one gives up")
        eventually(lambda: daemon.pid_in(daemon.pid_file) == daemon.pid, "the name is back")
        assert 'unknown directive "nonsense"' in daemon.log()
        assert not daemon.old_pid_file.exists()
        assert daemon.unix.exists()
        assert session.ask("b NOOP") == b"b OK done\r\n"
        assert serves(port)
        # and a second attempt is possible
        daemon.configure(good)
        new = daemon.upgrade()
        daemon.signal(signal.SIGQUIT)
        assert session.ask("c NOOP") == b"c OK done\r\n"
    assert daemon.ended(5) == 0
    assert serves(port)
    daemon.end(new)


def test_another_program_is_not_started_while_there_are_two(daemon: Upgradable) -> None:
    new = daemon.upgrade()
    daemon.signal(signal.SIGUSR2)
    eventually(lambda: daemon.log().count("changing binary signal is ignored") == 1, "by the old")
    os.kill(new, signal.SIGUSR2)
    eventually(lambda: daemon.log().count("changing binary signal is ignored") == 2, "and the new")
    daemon.signal(signal.SIGQUIT)
    assert daemon.ended(5) == 0
    eventually(lambda: "does not accept sessions any more" in daemon.log(), "it is alone")
    daemon.end(new)


def test_going_back_to_the_old_program_as_nginx_describes_it(daemon: Upgradable, port: int) -> None:
    """WINCH to the old one, a look at the new one, HUP to the old one, QUIT to the new one."""
    with Visitors(port) as visitors, log_in(port) as session:
        new = daemon.upgrade()
        daemon.signal(signal.SIGWINCH)
        ours = {new}
        eventually(lambda: len({*daemon.workers()} - ours) == 1, "one worker has a session")
        assert session.ask("b NOOP") == b"b OK done\r\n"
        assert serves(port)
        daemon.signal(signal.SIGHUP)
        eventually(lambda: len({*daemon.workers()} - ours) == 3, "two workers are back")
        os.kill(new, signal.SIGQUIT)
        eventually(lambda: "exited with code 0" in daemon.log(), "the new one ends")
        eventually(lambda: daemon.pid_in(daemon.pid_file) == daemon.pid, "the name is back")
        seen = visitors.greeted
        eventually(lambda: visitors.greeted > seen + 20, "the old one serves")
        assert session.ask("c NOOP") == b"c OK done\r\n"
    assert visitors.failures == []
    assert daemon.unix.exists()
    assert daemon.stop() == 0
    assert not daemon.unix.exists()


def test_a_new_program_that_dies_hard_gives_the_name_back(daemon: Upgradable, port: int) -> None:
    new = daemon.upgrade()
    workers = process.children_of(new)
    os.kill(new, signal.SIGKILL)
    eventually(lambda: daemon.pid_in(daemon.pid_file) == daemon.pid, "the name is back")
    eventually(lambda: not any(map(process.is_alive, workers)), "its workers end")
    assert serves(port)
    newer = daemon.upgrade()
    daemon.signal(signal.SIGQUIT)
    assert daemon.ended(5) == 0
    daemon.end(newer)


def test_term_ends_the_old_one_and_leaves_the_new_one(daemon: Upgradable, port: int) -> None:
    new = daemon.upgrade()
    with log_in(port):
        daemon.signal(signal.SIGTERM)
        assert daemon.ended(5) == 0
    assert serves(port)
    assert daemon.unix.exists()
    daemon.end(new)


def test_one_upgrade_after_another_leaves_no_socket_behind(daemon: Upgradable, port: int) -> None:
    second = daemon.upgrade()
    daemon.signal(signal.SIGQUIT)
    assert daemon.ended(5) == 0
    eventually(lambda: "does not accept sessions any more" in daemon.log(), "it is alone")
    os.kill(second, signal.SIGUSR2)
    third = eventually(
        lambda: (new := daemon.pid_in(daemon.pid_file)) != second and new, "the third one serves"
    )
    eventually(lambda: daemon.log().count(" serves") == 2, "both serve")
    assert len(_sockets_of(third)) == len(_sockets_of(second))
    os.kill(second, signal.SIGTERM)
    eventually(lambda: not process.is_alive(second), "the second one ends")
    assert serves(port)
    daemon.end(third)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 2).close()


def _sockets_of(pid: int) -> list[str]:
    directory = Path(f"/proc/{pid}/fd")
    found = [os.readlink(entry) for entry in directory.iterdir()]
    return [target for target in found if target.startswith("socket:")]


def test_a_listener_that_the_new_configuration_has_no_more_is_closed(
    daemon: Upgradable, port: int
) -> None:
    moved = free_port()
    daemon.configure(daemon.config_file.read_text().replace(f":{port};", f":{moved};"))
    new = daemon.upgrade()
    assert serves(moved)
    assert serves(port)
    daemon.signal(signal.SIGQUIT)
    assert daemon.ended(5) == 0
    assert serves(moved)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 2).close()
    daemon.end(new)


def test_an_init_system_is_told_who_is_to_be_watched(
    auth_port: int, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = tmp_path / "notify"
    monkeypatch.setattr(
        serve, "environment", lambda **more: environment(NOTIFY_SOCKET=str(address), **more)
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as init:
        init.bind(str(address))
        init.settimeout(10)
        with Upgradable(CONFIG.format(auth=auth_port, port=port)) as daemon:
            assert init.recv(100) == b"READY=1"
            new = daemon.upgrade()
            assert init.recv(100) == b"READY=1"
            daemon.signal(signal.SIGQUIT)
            assert init.recv(100) == f"MAINPID={new}".encode()
            assert daemon.ended(5) == 0
            daemon.end(new)
