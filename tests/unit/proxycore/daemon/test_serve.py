"""The daemon from an nginx.conf: reload, workers that die, logs, start and refusal."""

import contextlib
import os
import signal
import socket
import time

import pytest

from tests.support import process
from tests.support.ports import free_port
from tests.support.wait import eventually
from tests.unit.proxycore.daemon.serve import Imap, Serve, refuses, serves

CONFIG = """\
worker_processes {workers};
error_log @DIR@/error.log info;
pid @DIR@/pid;
events {{ }}
mail {{
    auth_http 127.0.0.1:9/auth;
{servers}}}
"""


def config(*ports: int, workers: int = 1) -> str:
    servers = "".join(f"    server {{ listen 127.0.0.1:{p}; protocol imap; }}\n" for p in ports)
    return CONFIG.format(workers=workers, servers=servers)


def test_a_reload_moves_a_listener_and_leaves_sessions_on_another_alone() -> None:
    stays, leaves, comes = free_port(), free_port(), free_port()
    with Serve(config(stays, leaves)) as daemon, Imap(stays) as session:
        workers = daemon.workers()
        daemon.configure(config(stays, comes))
        daemon.signal(signal.SIGHUP)
        eventually(lambda: serves(comes), "the new port is served")
        eventually(lambda: refuses(leaves), "the old port is closed")
        assert session.ask("a NOOP") == b"a OK completed\r\n"
        assert serves(stays)
        assert daemon.workers() == workers


def test_sessions_on_a_listener_that_is_removed_go_on() -> None:
    stays, leaves = free_port(), free_port()
    with Serve(config(stays, leaves)) as daemon, Imap(leaves) as session:
        daemon.configure(config(stays))
        daemon.signal(signal.SIGHUP)
        eventually(lambda: refuses(leaves), "the old port is closed")
        assert session.ask("a NOOP") == b"a OK completed\r\n"


def test_a_bad_file_changes_nothing_on_reload() -> None:
    port, other = free_port(), free_port()
    with Serve(config(port)) as daemon:
        daemon.configure(config(other) + "bogus on;\n")
        daemon.signal(signal.SIGHUP)
        assert daemon.log_contains("[emerg]")
        assert daemon.log_contains('unknown directive "bogus"')
        assert daemon.log_contains("the old one stays in force")
        assert serves(port)
        assert refuses(other)


def test_a_taken_port_changes_nothing_on_reload() -> None:
    port, fresh = free_port(), free_port()
    with Serve(config(port)) as daemon, socket.create_server(("127.0.0.1", 0)) as taker:
        taken = taker.getsockname()[1]
        daemon.configure(config(fresh, taken))
        daemon.signal(signal.SIGHUP)
        assert daemon.log_contains(f"bind() to 127.0.0.1:{taken} failed (98")
        assert daemon.log_contains(f" in {daemon.config_file}:8")
        assert serves(port)
        assert refuses(fresh)


def test_the_number_of_workers_follows_the_configuration() -> None:
    port = free_port()
    with Serve(config(port, workers=1)) as daemon:
        (first,) = daemon.workers()
        daemon.configure(config(port, workers=3))
        daemon.signal(signal.SIGHUP)
        eventually(lambda: len(daemon.workers()) == 3, "three workers")
        eventually(lambda: "is in force" in daemon.log(), "the reload is over")
        with contextlib.ExitStack() as stack:
            about_to_log_in = [stack.enter_context(Imap(port)) for _ in range(20)]
            daemon.configure(config(port, workers=1))
            daemon.signal(signal.SIGHUP)
            eventually(lambda: daemon.log().count("is in force") == 2, "the reload is over")
            assert all(c.ask("a NOOP") == b"a OK completed\r\n" for c in about_to_log_in)
        eventually(lambda: daemon.workers() == [first], "the oldest is left")
        assert serves(port)


def test_a_burst_of_reloads_becomes_few_and_term_is_still_heard() -> None:
    ports = [free_port(), free_port()]
    with Serve(config(ports[0])) as daemon:
        for turn in range(40):
            daemon.configure(config(ports[turn % 2]))
            daemon.signal(signal.SIGHUP)
        eventually(lambda: serves(ports[1]), "the last configuration is the one in force")
        eventually(lambda: refuses(ports[0]), "and no other")
        for _ in range(40):
            daemon.signal(signal.SIGHUP)
        asked_at = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - asked_at < 2
        assert "[error]" not in daemon.log()


def test_a_killed_worker_is_replaced_within_two_seconds() -> None:
    port = free_port()
    with Serve(config(port)) as daemon, Imap(port) as lost:
        (worker,) = daemon.workers()
        killed_at = time.monotonic()
        os.kill(worker, signal.SIGKILL)
        assert lost.rest() == b""
        assert serves(port)
        assert time.monotonic() - killed_at < 2
        assert daemon.log_contains(f"worker process {worker} exited on signal 9")
        assert daemon.workers() != [worker]


def test_reloads_and_dead_workers_leak_no_descriptor() -> None:
    ports = [free_port(), free_port()]
    with Serve(config(ports[0])) as daemon:
        assert serves(ports[0])
        before = _descriptors(daemon.pid)
        for turn in range(1, 5):
            daemon.configure(config(ports[turn % 2]))
            daemon.signal(signal.SIGHUP)
            eventually(lambda port=ports[turn % 2]: serves(port), "the reload is effective")
            eventually(lambda port=ports[1 - turn % 2]: refuses(port), "the old port is closed")
        os.kill(daemon.workers()[0], signal.SIGKILL)
        assert serves(ports[0])
        assert _descriptors(daemon.pid) == before
        assert process.children_of(daemon.pid) == daemon.workers()


def _descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_rotated_logs_are_reopened() -> None:
    port = free_port()
    with Serve(config(port)) as daemon:
        rotated = daemon.directory / "error.log.1"
        daemon.log_file.rename(rotated)
        daemon.signal(signal.SIGUSR1)
        eventually(lambda: "reopened logs" in daemon.log_file.read_text(), "the file is new")
        with Imap(port):
            eventually(lambda: "connected to" in daemon.log_file.read_text(), "workers' lines, too")
        assert "connected to" not in rotated.read_text()


def test_the_pid_file_is_there_while_the_daemon_is() -> None:
    with Serve(config(free_port())) as daemon:
        pid_file = daemon.directory / "pid"
        assert pid_file.read_text() == f"{daemon.pid}\n"
        assert daemon.stop() == 0
        assert not pid_file.exists()


def test_a_taken_port_at_start_is_explained_and_ends_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taker:
        taken = taker.getsockname()[1]
        daemon = Serve(config(taken))
        try:
            daemon.launch_only()
            assert daemon.ended(10) == 1
            assert (
                f"bind() to 127.0.0.1:{taken} failed (98: Address already in use)" in daemon.log()
            )
            assert not (daemon.directory / "pid").exists()
        finally:
            daemon.close()


def test_a_bad_configuration_at_start_says_everything_and_ends_it() -> None:
    daemon = Serve("bogus on;\nmail { nonsense; }\n")
    try:
        daemon.launch_only()
        assert daemon.ended(10) == 1
        assert 'unknown directive "bogus"' in daemon.log()
        assert 'unknown directive "nonsense"' in daemon.log()
    finally:
        daemon.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give rights away")
def test_workers_drop_to_the_user_and_the_supervisor_does_not() -> None:
    port = free_port()
    with Serve("user nobody;\n" + config(port)) as daemon:
        assert serves(port)
        (worker,) = daemon.workers()
        assert os.stat(f"/proc/{daemon.pid}").st_uid == 0
        status = _status(worker)
        assert "0" not in status["Uid"].split()
        assert "0" not in status["Gid"].split()
        assert int(status["CapEff"], 16) == 0


def _status(pid: int) -> dict[str, str]:
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return dict(line.rstrip("\n").split(":", 1) for line in lines)


def test_no_core_and_all_files_that_may_be_open() -> None:
    port = free_port()
    with Serve(config(port)) as daemon:
        for pid in (daemon.pid, *daemon.workers()):
            with open(f"/proc/{pid}/limits", encoding="ascii") as lines:
                limits = {line[:26].strip(): line[26:].split() for line in lines}
            assert limits["Max core file size"][:2] == ["0", "0"]
            assert limits["Max open files"][0] == limits["Max open files"][1]
