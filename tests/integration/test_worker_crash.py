"""A worker that dies takes its sessions with it and nothing else."""

import os
import signal
import time

from tests.support import cast, clients
from tests.support.authserver import AuthServer
from tests.support.fronts import Front, standalone
from tests.support.process import is_alive
from tests.support.proxycore import greets
from tests.support.wait import eventually

_REPLACED_WITHIN_S = 2.0


def test_a_killed_worker_is_replaced_within_two_seconds(auth_service: AuthServer) -> None:
    front = Front.on_free_ports()
    with standalone(front, auth_service, workers=1) as daemon:
        (worker,) = daemon.workers()
        killed_at = time.monotonic()
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: not is_alive(worker), "the worker is gone")
        eventually(lambda: greets(front.imap), "a new worker greets")
        assert time.monotonic() - killed_at < _REPLACED_WITHIN_S
        assert daemon.workers() != [worker]
        with clients.imap(front.imap, cast.ZOE, cast.PASSWORDS[cast.ZOE]) as client:
            assert clients.imap_host(client) == cast.MAILHOST02


def test_sessions_of_the_other_worker_go_on(auth_service: AuthServer) -> None:
    front = Front.on_free_ports()
    password = cast.PASSWORDS[cast.ALICE]
    with (
        standalone(front, auth_service, workers=2) as daemon,
        clients.imap(front.imap, cast.ALICE, password) as client,
    ):
        holder = _session_worker(daemon.workers(), front.imap, client.socket().getsockname()[1])
        other = next(pid for pid in daemon.workers() if pid != holder)
        os.kill(other, signal.SIGKILL)
        eventually(lambda: not is_alive(other), "the other worker is gone")
        assert client.noop()[0] == "OK"
        eventually(lambda: len(daemon.workers()) == 2, "there are two workers again")
        assert client.noop()[0] == "OK"


def _session_worker(workers: list[int], port: int, client_port: int) -> int:
    """Find the worker that holds the connection from a client's port."""
    inode = _inode_of(port, client_port)
    for pid in workers:
        directory = f"/proc/{pid}/fd"
        for name in os.listdir(directory):
            try:
                if os.readlink(f"{directory}/{name}") == f"socket:[{inode}]":
                    return pid
            except FileNotFoundError:
                continue
    raise AssertionError("no worker holds the session")


def _inode_of(port: int, client_port: int) -> str:
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in list(table)[1:]:
            fields = line.split()
            ports = [int(address.rpartition(":")[2], 16) for address in fields[1:3]]
            if ports == [port, client_port]:
                return fields[9]
    raise AssertionError(f"no connection from port {client_port}")
