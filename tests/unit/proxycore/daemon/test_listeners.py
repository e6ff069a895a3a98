"""Listening sockets are opened all or none, and explained when they are not."""

import os
import socket
from dataclasses import replace

import pytest

from proxycore.contract.snapshot import Listen
from proxycore.daemon.apply import Opening
from proxycore.daemon.listeners import Listeners
from tests.support.ports import free_port


@pytest.fixture
def listeners():
    opened = Listeners()
    yield opened
    opened.close_all()


def opening(address: str, port: int = 0, index: int = 0, backlog: int = 128) -> Opening:
    listen = Listen(address=address, port=port, backlog=backlog)
    return Opening(listen=listen, path=f"servers[0].listens[{index}]")


def test_accepted_connections_inherit_nodelay(listeners) -> None:
    port = free_port()
    assert listeners.open((opening("127.0.0.1", port),)) == []
    sock = listeners.sockets[f"127.0.0.1:{port}"]
    with socket.create_connection(("127.0.0.1", port), 2):
        sock.setblocking(True)
        accepted, _ = sock.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_a_taken_port_opens_nothing_and_names_the_setting(listeners) -> None:
    free, taken = free_port(), free_port()
    with socket.create_server(("127.0.0.1", taken)):
        (problem,) = listeners.open((opening("127.0.0.1", free), opening("127.0.0.1", taken, 1)))
    assert problem.path == "servers[0].listens[1]"
    assert f"bind() to 127.0.0.1:{taken} failed (98: Address already in use)" in problem.message
    assert "change this listen address" in problem.message
    assert listeners.sockets == {}
    with socket.create_server(("127.0.0.1", free)):
        pass  # nobody holds it


def test_a_wildcard_and_an_address_are_bound_beside_each_other(listeners) -> None:
    port = free_port()
    assert listeners.open((opening("*", port),)) == []
    assert listeners.open((opening("127.0.0.1", port),)) == []
    with socket.create_connection(("127.0.0.1", port), 2) as client:
        assert accepts(listeners.sockets[f"127.0.0.1:{port}"], client)
    listeners.close([f"127.0.0.1:{port}"])
    with socket.create_connection(("127.0.0.1", port), 2) as client:
        assert accepts(listeners.sockets[f"*:{port}"], client)


def accepts(listening: socket.socket, client: socket.socket) -> bool:
    listening.settimeout(2)
    accepted, peer = listening.accept()
    accepted.close()
    return peer == client.getsockname()


def test_a_port_of_ours_stays_taken_for_everybody_else(listeners) -> None:
    port = free_port()
    assert listeners.open((opening("*", port), opening("127.0.0.1", port, 1))) == []
    others = Listeners()
    (problem,) = others.open((opening("127.0.0.1", port),))
    assert "another program listens there" in problem.message


def test_an_address_of_no_interface_says_so(listeners) -> None:
    (problem,) = listeners.open((opening("203.0.113.77", free_port()),))
    assert "no interface of this machine" in problem.message


def test_ipv6_does_not_take_the_ipv4_port(listeners) -> None:
    port = free_port()
    assert listeners.open((opening("::", port), opening("*", port, 1))) == []
    assert set(listeners.sockets) == {f"[::]:{port}", f"*:{port}"}


def test_a_stale_unix_socket_is_replaced_and_removed_at_the_end(listeners, tmp_path) -> None:
    path = str(tmp_path / "imap")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    assert listeners.open((opening(f"unix:{path}"),)) == []
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    listeners.close_all()
    assert not os.path.exists(path)


def test_a_unix_socket_in_use_is_not_taken_over(listeners, tmp_path) -> None:
    path = str(tmp_path / "imap")
    with socket.socket(socket.AF_UNIX) as alive:
        alive.bind(path)
        alive.listen()
        (problem,) = listeners.open((opening(f"unix:{path}"),))
    assert "Address already in use" in problem.message
    assert os.path.exists(path)


def test_a_file_that_is_no_socket_is_not_removed(listeners, tmp_path) -> None:
    path = tmp_path / "precious"
    path.write_text("letters")
    (problem,) = listeners.open((opening(f"unix:{path}"),))
    assert "not a socket" in problem.message
    assert path.read_text() == "letters"


def test_a_name_that_somebody_took_over_is_left_alone(listeners, tmp_path) -> None:
    path = str(tmp_path / "imap")
    assert listeners.open((opening(f"unix:{path}"),)) == []
    os.unlink(path)
    with socket.socket(socket.AF_UNIX) as successor:
        successor.bind(path)
        listeners.close_all()
        assert os.path.exists(path)


def test_options_are_changed_on_the_open_socket(listeners) -> None:
    port = free_port()
    old = Listen(address="127.0.0.1", port=port, backlog=1)
    new = replace(old, backlog=77, rcvbuf_bytes=65_536, so_keepalive="on", keepalive_idle_s=9)
    assert listeners.open((Opening(listen=old, path=""),)) == []
    sock = listeners.sockets[old.key]
    assert listeners.change(old, new) == []
    assert listeners.sockets[old.key] is sock
    # tcpi_sacked of a listening socket is its backlog (linux/tcp.h)
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    assert int.from_bytes(info[28:32], "little") == 77
    assert inherited(sock, port) == (131_072, 1, 9)
    assert listeners.change(new, old) == [
        f'"{name}" cannot be changed on the open socket {old.key}: restart to have it'
        for name in ("rcvbuf_bytes", "keepalive_idle_s", "so_keepalive")
    ]


def inherited(listening: socket.socket, port: int) -> tuple[int, ...]:
    with socket.create_connection(("127.0.0.1", port), 2):
        listening.settimeout(2)
        accepted, _ = listening.accept()
        with accepted:
            return (
                accepted.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF),
                accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
            )


def test_what_only_a_new_socket_can_have_is_said(listeners) -> None:
    port = free_port()
    old = Listen(address="::1", port=port)
    assert listeners.open((Opening(listen=old, path=""),)) == []
    (warning,) = listeners.change(old, replace(old, ipv6only=False))
    assert '"ipv6only" cannot be changed' in warning


def test_a_socket_for_both_families(listeners) -> None:
    port = free_port()
    both = Listen(address="::", port=port, ipv6only=False, bind=True)
    assert listeners.open((Opening(listen=both, path=""),)) == []
    with socket.create_connection(("127.0.0.1", port), 2) as client:
        listeners.sockets[both.key].settimeout(2)
        accepted, peer = listeners.sockets[both.key].accept()
        accepted.close()
        assert peer[:2] == ("::ffff:127.0.0.1", client.getsockname()[1])


def test_multipath_where_the_kernel_has_it(listeners) -> None:
    listen = Listen(address="127.0.0.1", port=free_port(), multipath=True, rcvbuf_bytes=65_536)
    assert listeners.open((Opening(listen=listen, path=""),)) == []
    sock = listeners.sockets[listen.key]
    is_multipath = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL) == 262
    assert is_multipath != bool(listeners.ignored)
    with socket.create_connection(("127.0.0.1", listen.port), 2) as client:
        assert accepts(sock, client)


def test_trying_out_says_what_opening_would_and_opens_nothing(listeners, tmp_path) -> None:
    free, taken = free_port(), free_port()
    with socket.create_server(("127.0.0.1", taken)):
        wanted = (opening("127.0.0.1", free), opening("127.0.0.1", taken, index=1))
        tried = listeners.try_out(wanted)
        assert [problem.path for problem in tried] == ["servers[0].listens[1]"]
        assert tried == listeners.open(wanted)
    assert listeners.sockets == {}
    with socket.create_server(("127.0.0.1", free)):
        pass


def test_trying_out_beside_an_open_wildcard(listeners) -> None:
    port = free_port()
    assert listeners.open((opening("*", port),)) == []
    assert listeners.try_out((opening("127.0.0.1", port),)) == []
    with pytest.raises(OSError, match="in use"), socket.create_server(("127.0.0.1", port)):
        pass


def test_trying_out_a_unix_socket_leaves_the_directory_as_it_is(listeners, tmp_path) -> None:
    stale, used = tmp_path / "stale", tmp_path / "used"
    for path in (stale, used):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(path))
    used.unlink()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(used))
        sock.listen()
        assert listeners.try_out((opening(f"unix:{stale}"), opening(f"unix:{tmp_path}/new"))) == []
        (problem,) = listeners.try_out((opening(f"unix:{used}"),))
        assert "in use" in problem.message
    (problem,) = listeners.try_out((opening(f"unix:{tmp_path}/nowhere/new"),))
    assert "No such file" in problem.message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stale", "used"]
