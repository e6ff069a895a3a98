"""The end, in every form: drained, cut, at once, orphaned."""

import os
import signal
import time
from collections.abc import Generator

import pytest

from tests.support import process
from tests.support.ports import free_port
from tests.support.wait import eventually
from tests.unit.proxycore.daemon.serve import Imap, Serve, everybody_let_in, refuses

CONFIG = """\
worker_processes 2;
error_log @DIR@/error.log info;
{extra}
events {{ }}
mail {{
    auth_http 127.0.0.1:{auth}/auth;
    server {{ listen 127.0.0.1:{port}; protocol imap; }}
}}
"""


@pytest.fixture(scope="module")
def auth_port() -> Generator[int, None, None]:
    with everybody_let_in() as port:
        yield port


def log_in(port: int) -> Imap:
    client = Imap(port)
    assert client.ask("a LOGIN alice secret").startswith(b"a OK")
    return client


def test_quit_lets_sessions_finish_also_those_that_are_logging_in(auth_port: int) -> None:
    port = free_port()
    with (
        Serve(CONFIG.format(auth=auth_port, port=port, extra="")) as daemon,
        log_in(port) as session,
        Imap(port) as before_login,
    ):
        daemon.signal(signal.SIGQUIT)
        eventually(lambda: refuses(port), "nothing new is accepted")
        assert before_login.ask("a LOGIN bob secret").startswith(b"a OK")
        assert session.ask("b NOOP") == b"b OK done\r\n"
        before_login.__exit__()
        # a worker without a session is gone, the other one waits
        eventually(lambda: len(daemon.workers()) == 1, "one worker is left")
        daemon.signal(signal.SIGQUIT)
        assert session.ask("c NOOP") == b"c OK done\r\n"
        session.__exit__()
        assert daemon.ended(5) == 0


def test_worker_shutdown_timeout_cuts_what_does_not_finish(auth_port: int) -> None:
    port = free_port()
    extra = "worker_shutdown_timeout 300ms;"
    with (
        Serve(CONFIG.format(auth=auth_port, port=port, extra=extra)) as daemon,
        log_in(port) as session,
        Imap(port) as before_login,
    ):
        asked_at = time.monotonic()
        daemon.signal(signal.SIGQUIT)
        assert session.rest() == b""
        assert before_login.rest() == b""
        assert time.monotonic() - asked_at >= 0.25
        assert daemon.ended(5) == 0
        assert "shutdown timeout while proxying" in daemon.log()


def test_a_reload_cuts_the_sessions_of_the_former_configuration_only(auth_port: int) -> None:
    port = free_port()
    text = CONFIG.format(auth=auth_port, port=port, extra="worker_shutdown_timeout 400ms;")
    with Serve(text) as daemon, log_in(port) as former:
        daemon.signal(signal.SIGHUP)
        eventually(lambda: "is in force" in daemon.log(), "the file was read again")
        with log_in(port) as later:
            assert former.rest() == b""
            eventually(lambda: daemon.log().count("shutdown timeout") >= 2, "both workers cut")
            assert later.ask("b NOOP") == b"b OK done\r\n"


def test_a_refused_reload_cuts_nothing(auth_port: int) -> None:
    port = free_port()
    text = CONFIG.format(auth=auth_port, port=port, extra="worker_shutdown_timeout 10ms;")
    with Serve(text) as daemon, log_in(port) as session:
        daemon.configure(text + "nonsense;\n")
        daemon.signal(signal.SIGHUP)
        eventually(lambda: "was not taken" in daemon.log(), "the file is refused")
        assert session.ask("b NOOP") == b"b OK done\r\n"
        assert "shutdown timeout" not in daemon.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_term_ends_sessions_and_all_within_two_seconds(auth_port: int, number) -> None:
    port = free_port()
    with (
        Serve(CONFIG.format(auth=auth_port, port=port, extra="")) as daemon,
        log_in(port) as session,
        Imap(port) as before_login,
    ):
        workers = daemon.workers()
        asked_at = time.monotonic()
        daemon.signal(number)
        assert daemon.ended(5) == 0
        assert time.monotonic() - asked_at < 2
        assert session.rest() == b""
        assert before_login.rest() == b""
        assert not any(process.is_alive(pid) for pid in workers)
        assert "signal 9" not in daemon.log()
        assert "shutting down while proxying" in daemon.log()
        assert "shutdown timeout" not in daemon.log()


def test_term_cuts_a_drain_short(auth_port: int) -> None:
    port = free_port()
    with (
        Serve(CONFIG.format(auth=auth_port, port=port, extra="")) as daemon,
        log_in(port) as session,
    ):
        daemon.signal(signal.SIGQUIT)
        eventually(lambda: refuses(port), "it drains")
        daemon.signal(signal.SIGTERM)
        assert daemon.ended(2) == 0
        assert session.rest() == b""


def test_term_kills_a_worker_that_does_not_listen(auth_port: int) -> None:
    port = free_port()
    with Serve(CONFIG.format(auth=auth_port, port=port, extra="")) as daemon:
        stuck = daemon.workers()[0]
        os.kill(stuck, signal.SIGSTOP)
        asked_at = time.monotonic()
        daemon.signal(signal.SIGTERM)
        assert daemon.ended(5) == 0
        assert time.monotonic() - asked_at < 2
        assert not process.is_alive(stuck)


def test_ctrl_c_of_a_whole_terminal_is_silent_and_clean(auth_port: int) -> None:
    port = free_port()
    with Serve(CONFIG.format(auth=auth_port, port=port, extra="")) as daemon, log_in(port):
        os.killpg(daemon.pid, signal.SIGINT)
        assert daemon.ended(2) == 0
        assert daemon.console.read_text() == ""


def test_ctrl_c_while_workers_start_is_silent_and_clean(auth_port: int) -> None:
    with Serve(CONFIG.format(auth=auth_port, port=free_port(), extra="")) as warm:
        warm.stop()  # so that what follows starts from compiled modules
        warm.launch_only()
        eventually(lambda: any(map(_is_worker, process.children_of(warm.pid))), "one starts")
        os.killpg(warm.pid, signal.SIGINT)
        assert warm.ended(3) == 0
        assert "KeyboardInterrupt" not in warm.log()
        assert "exited on signal" not in warm.log()
        assert "[emerg]" not in warm.log()


def _is_worker(pid: int) -> bool:
    return "proxycore.daemon.worker" in process.command_line(pid)


def test_workers_without_a_supervisor_end_and_free_the_port(auth_port: int) -> None:
    port = free_port()
    with (
        Serve(CONFIG.format(auth=auth_port, port=port, extra="")) as daemon,
        log_in(port) as session,
    ):
        workers = daemon.workers()
        daemon.signal(signal.SIGKILL)
        assert session.rest() == b""
        eventually(lambda: not any(map(process.is_alive, workers)), "the workers end")
        assert refuses(port)
        with Serve(CONFIG.format(auth=auth_port, port=port, extra="")):
            log_in(port).__exit__()
