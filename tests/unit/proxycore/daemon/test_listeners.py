"""Listening sockets are opened all or none, and explained when they are not."""

import os
import socket

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


def test_an_overlap_with_ourselves_says_so(listeners) -> None:
    port = free_port()
    assert listeners.open((opening("*", port),)) == []
    (problem,) = listeners.open((opening("127.0.0.1", port),))
    assert f"it overlaps *:{port}" in problem.message


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


def test_a_queue_is_resized_on_the_open_socket(listeners) -> None:
    port = free_port()
    assert listeners.open((opening("127.0.0.1", port, backlog=1),)) == []
    sock = listeners.sockets[f"127.0.0.1:{port}"]
    listeners.resize((Listen(address="127.0.0.1", port=port, backlog=77),))
    assert listeners.sockets[f"127.0.0.1:{port}"] is sock
    # tcpi_sacked of a listening socket is its backlog (linux/tcp.h)
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    assert int.from_bytes(info[28:32], "little") == 77
