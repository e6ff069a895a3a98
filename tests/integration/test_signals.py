"""The daemon obeys nginx's signals, with a real session open all the while."""

import signal
from collections.abc import Generator

import pytest

from tests.support import cast, clients
from tests.support.authserver import AuthServer
from tests.support.fronts import Front, standalone
from tests.support.ports import free_port
from tests.support.proxycore import Proxycore, greets
from tests.support.wait import eventually

_PASSWORD = cast.PASSWORDS[cast.ALICE]


@pytest.fixture
def front() -> Front:
    return Front.on_free_ports()


@pytest.fixture
def daemon(front: Front, auth_service: AuthServer) -> Generator[Proxycore, None, None]:
    with standalone(front, auth_service) as running:
        yield running


def test_hup_moves_a_listener_and_keeps_sessions(daemon: Proxycore, front: Front) -> None:
    other_port = free_port()
    with clients.imap(front.imap, cast.ALICE, _PASSWORD) as client:
        text = daemon.config_file.read_text(encoding="utf-8")
        daemon.configure(text.replace(f":{front.imap};", f":{other_port};"))
        daemon.reload()
        eventually(lambda: greets(other_port), "the new port greets")
        eventually(lambda: not daemon.answers(front.imap), "the old port is closed")
        assert clients.imap_host(client) == cast.MAILHOST01


def test_hup_with_a_broken_file_changes_nothing(daemon: Proxycore, front: Front) -> None:
    daemon.configure("mail { server { listen 127.0.0.1:1; protocl imap; } }")
    daemon.reload()
    assert daemon.log_contains('unknown directive "protocl"')
    with clients.imap(front.imap, cast.ALICE, _PASSWORD) as client:
        assert clients.imap_host(client) == cast.MAILHOST01


def test_quit_ends_when_the_last_session_has_ended(daemon: Proxycore, front: Front) -> None:
    with clients.imap(front.imap, cast.ALICE, _PASSWORD) as client:
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGQUIT)
        eventually(lambda: not daemon.answers(front.imap), "nothing is accepted any more")
        assert clients.imap_host(client) == cast.MAILHOST01
        assert daemon.is_running()
    assert daemon.wait(within_s=10) == 0


def test_term_ends_at_once_and_removes_the_pid_file(daemon: Proxycore, front: Front) -> None:
    pid_file = daemon.directory / "logs" / "nginx.pid"
    eventually(pid_file.exists, "the pid file is written")
    with clients.imap(front.imap, cast.ALICE, _PASSWORD) as client:
        assert daemon.stop(signal.SIGTERM, within_s=5) == 0
        with pytest.raises(client.abort):
            client.noop()
    assert not pid_file.exists()


def test_usr1_writes_on_into_a_new_file_after_a_rotation(daemon: Proxycore, front: Front) -> None:
    log = daemon.directory / "logs" / "error.log"
    log.rename(log.with_suffix(".1"))
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGUSR1)
    eventually(log.exists, "the log file is made anew")
    with clients.imap(front.imap, cast.ALICE, _PASSWORD):
        pass
    eventually(lambda: 'login: "alice"' in log.read_text(encoding="utf-8"), "a login is logged")
