"""What ``listen`` asks for, on the wire: who gets a connection, and how its socket is made."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.authserver import AuthServer
from tests.support.ports import free_port
from tests.support.wait import eventually
from tests.unit.proxycore.daemon.serve import Backend, Imap, Serve, refuses, serves

HEAD = """\
worker_processes 1;
error_log @DIR@/error.log info;
events {{ }}
mail {{ auth_http 127.0.0.1:{auth}; {more}
"""


def config(*servers: str, auth: int = 9, more: str = "") -> str:
    return HEAD.format(auth=auth, more=more) + "\n".join(servers) + "\n}\n"


def greeting(host: str, port: int) -> bytes:
    with socket.create_connection((host, port), 2) as client, client.makefile("rb") as stream:
        return stream.readline()


def test_the_local_address_tells_servers_on_one_port_apart() -> None:
    port = free_port()
    anybody = f"server {{ listen {port}; protocol imap; }}"
    for option in ("", "bind"):
        one = f"server {{ listen 127.0.0.1:{port} {option}; protocol pop3; }}"
        with Serve(config(anybody, one)) as daemon:
            assert greeting("127.0.0.1", port).startswith(b"+OK")
            assert greeting("127.0.0.2", port).startswith(b"* OK")
            assert daemon.log().count("listening on") == (2 if option else 1)


def test_a_wildcard_and_an_address_take_turns_without_a_gap() -> None:
    port = free_port()
    anybody = f"server {{ listen {port}; protocol imap; }}"
    one = f"server {{ listen 127.0.0.1:{port}; protocol imap; }}"
    with Serve(config(anybody)) as daemon, Imap(port) as session:
        assert serves(port)
        daemon.configure(config(one))
        daemon.signal(signal.SIGHUP)
        assert daemon.log_contains(f"no longer listening on *:{port}")
        assert serves(port)
        eventually(lambda: _refuses_at("127.0.0.2", port), "only one address is served")
        daemon.configure(config(anybody))
        daemon.signal(signal.SIGHUP)
        assert daemon.log_contains(f"no longer listening on 127.0.0.1:{port}")
        assert greeting("127.0.0.2", port).startswith(b"* OK")
        assert session.ask("a NOOP") == b"a OK completed\r\n"


def _refuses_at(host: str, port: int) -> bool:
    try:
        greeting(host, port)
    except ConnectionRefusedError:
        return True
    return False


def test_a_host_name_is_every_address_it_has() -> None:
    port = free_port()
    with Serve(config(f"server {{ listen localhost:{port}; protocol imap; }}")) as daemon:
        assert greeting("127.0.0.1", port).startswith(b"* OK")
        assert daemon.log_contains(f"listening on 127.0.0.1:{port}")


def test_an_unknown_host_name_is_refused_with_its_line() -> None:
    port = free_port()
    daemon = Serve(config(f"server {{ listen {port}; protocol imap; }}"))
    with daemon:
        bad = f"server {{ listen nowhere.invalid:{port}; protocol imap; }}"
        daemon.configure(config(bad))
        daemon.signal(signal.SIGHUP)
        assert daemon.log_contains(
            f'host not found in "nowhere.invalid:{port}" of the "listen" directive in '
            f"{daemon.config_file}:5"
        )
        assert not refuses(port)


def test_keepalive_of_a_listen_is_inherited_by_its_connections() -> None:
    probed, plain = free_port(), free_port()
    servers = (
        f"server {{ listen 127.0.0.1:{probed} so_keepalive=30m::3; protocol imap; }}",
        f"server {{ listen 127.0.0.1:{plain}; protocol imap; }}",
    )
    with Serve(config(*servers)), Imap(probed), Imap(plain):
        eventually(lambda: _is_probed(probed), "the client is probed")
        assert not _is_probed(plain)


def test_so_keepalive_of_old_concerns_clients_and_mail_servers() -> None:
    port = free_port()
    server = f"server {{ listen 127.0.0.1:{port}; protocol imap; }}"
    with (
        _auth() as (auth, backend),
        Serve(config(server, auth=auth, more="so_keepalive on;")),
        Imap(port) as session,
    ):
        assert not _is_probed(port)
        assert session.ask("a LOGIN alice secret").startswith(b"a OK")
        # while something is not acknowledged, that timer is the one shown
        eventually(lambda: _is_probed(port), "the client is probed")
        eventually(lambda: _is_probed(backend, remote=True), "the mail server is probed")


@contextmanager
def _auth() -> Iterator[tuple[int, int]]:
    with Backend() as backend:
        found = {
            "Auth-Status": "OK",
            "Auth-Server": "127.0.0.1",
            "Auth-Port": str(backend.port),
        }
        with AuthServer(lambda asked: found) as auth:
            yield auth.port, backend.port


def _is_probed(port: int, *, remote: bool = False) -> bool:
    """Tell whether a connection from or to the port has the kernel's keep-alive timer running."""
    found = [line.split() for line in Path("/proc/net/tcp").read_text().split("\n")[1:-1]]
    # proc_net_tcp: state 1 is established, timer 2 is the keep-alive timer
    return any(
        words[3] == "01" and words[5].startswith("02:")
        for words in found
        if words[2 if remote else 1].endswith(f":{port:04X}")
    )
