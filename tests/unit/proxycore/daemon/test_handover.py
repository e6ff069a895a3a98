"""What a new program is given by the old one, and by one that is newer or broken."""

import base64
import os
import socket
from collections.abc import Generator

import pytest

from proxycore.daemon.frames import BrokenStream, Outbox
from proxycore.daemon.handover import VARIABLE, Predecessor

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Generator[Pair, None, None]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        yield ours, theirs


def begin(outbox: Outbox) -> None:
    tickets = base64.b64encode(b"s" * 32).decode()
    outbox.put({"type": "begin", "pid": 4711, "tickets": tickets})


def test_sockets_arrive_by_name_whatever_else_is_sent(pair: Pair) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        outbox.put({"type": "sockets", "keys": ["one", "two"]}, [one, two])
        # of a program that knows more
        outbox.put({"type": "zones", "names": ["a"]}, [one])
        begin(outbox)
        assert outbox.flush()
        before = len(os.listdir("/proc/self/fd"))
        former = Predecessor(theirs)
        assert len(os.listdir("/proc/self/fd")) == before + 2
        assert (former.pid, former.ticket_secret) == (4711, b"s" * 32)
        names = {key: sock.getsockname() for key, sock in former.sockets.items()}
        assert names == {"one": one.getsockname(), "two": two.getsockname()}
        for sock in former.sockets.values():
            assert not sock.get_inheritable()
            sock.close()


def test_a_predecessor_that_hangs_up_first_is_an_error(pair: Pair) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)
    outbox.put({"type": "sockets", "keys": []})
    outbox.flush()
    ours.close()
    with pytest.raises(BrokenStream):
        Predecessor(theirs)


def test_without_the_variable_there_is_no_predecessor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert Predecessor.from_environment() is None
    monkeypatch.setenv(VARIABLE, "nonsense")
    assert Predecessor.from_environment() is None
    assert VARIABLE not in os.environ


def test_the_number_is_not_handed_on_to_workers(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)
    begin(outbox)
    outbox.flush()
    monkeypatch.setenv(VARIABLE, str(os.dup(theirs.fileno())))
    former = Predecessor.from_environment()
    assert former is not None
    assert VARIABLE not in os.environ
    former.close()
