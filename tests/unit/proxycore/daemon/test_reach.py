"""Auth services that a host does not reach are told, and nothing is said to those it does."""

import asyncio
import contextlib
import socket

from proxycore.contract.protocol import Protocol
from proxycore.contract.snapshot import AuthBackup, AuthHttp, Server, Snapshot
from proxycore.daemon.reach import out_of_reach
from tests.support.ports import free_port


def _told(*services: AuthHttp) -> dict[str, str]:
    servers = tuple(
        Server(name=str(i), protocol=Protocol.IMAP, listens=(), auth_http=service)
        for i, service in enumerate(services)
    )
    found = asyncio.run(out_of_reach(Snapshot(servers=servers)))
    return {problem.path: problem.message for problem in found}


def test_a_service_that_listens_is_fine_and_hears_nothing(tmp_path) -> None:
    path = tmp_path / "auth"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))
        unix.listen()
        port = tcp.getsockname()[1]
        services = (
            AuthHttp(host="127.0.0.1", port=port),
            AuthHttp(host=f"unix:{path}", port=0),
        )
        assert _told(*services) == {}
        tcp.settimeout(5)
        connection, _ = tcp.accept()
        with connection:
            connection.settimeout(5)
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(100) == b""


def test_what_cannot_be_reached_is_told_with_each_setting_that_names_it(tmp_path) -> None:
    port = free_port()
    dead = AuthHttp(host="127.0.0.1", port=port)
    backup = AuthBackup(host="no-such-host.invalid", port=80, uri="/")
    told = _told(dead, AuthHttp(host=f"unix:{tmp_path}/none", port=0, backups=(backup,)), dead)
    refused = f"auth service 127.0.0.1:{port} cannot be reached: Connection refused"
    assert told["servers[0].auth_http.host"] == told["servers[2].auth_http.host"] == refused
    assert "No such file" in told["servers[1].auth_http.host"]
    assert told["servers[1].auth_http.backups[0].host"] == (
        'host not found in auth service "no-such-host.invalid:80"'
    )
