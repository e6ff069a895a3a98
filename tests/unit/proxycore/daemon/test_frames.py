"""Frames survive any cut of the stream, and carry descriptors in order."""

import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.daemon.frames import BrokenStream, Decoder, Outbox, encode, receive

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner),
    max_leaves=5,
)
_MESSAGES = st.lists(st.dictionaries(st.text(max_size=8), _JSON, max_size=4), max_size=6)


@given(_MESSAGES, st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_frames_survive_any_cut(messages, cuts) -> None:
    stream = b"".join(encode(message) for message in messages)
    decoder, found, at, turn = Decoder(), [], 0, 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        found += [message for message, _ in decoder.feed(stream[at : at + size])]
        at, turn = at + size, turn + 1
    assert found == messages


@given(st.binary(min_size=5, max_size=200))
def test_any_octets_give_frames_or_a_broken_stream(data) -> None:
    try:
        for message, fds in Decoder().feed(data):
            assert isinstance(message, dict)
            assert fds == []
    except BrokenStream:
        pass


def test_a_frame_without_its_descriptors_breaks_the_stream() -> None:
    with pytest.raises(BrokenStream):
        list(Decoder().feed(encode({"type": "sockets"}, fd_count=1)))


def test_an_absurd_length_breaks_the_stream_before_it_is_waited_for() -> None:
    with pytest.raises(BrokenStream):
        list(Decoder().feed(b"\xff\xff\xff\xff\x00"))


def _pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


def test_descriptors_arrive_with_their_own_frame() -> None:
    ours, theirs = _pair()
    with ours, theirs, socket.socket() as one, socket.socket() as two, socket.socket() as three:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        three.bind(("127.0.0.1", 0))
        names = [s.getsockname() for s in (one, two, three)]
        outbox = Outbox(ours)
        outbox.put({"k": 0})
        outbox.put({"k": 1}, [one, two])
        outbox.put({"k": 2})
        outbox.put({"k": 3}, [three])
        assert outbox.flush()
        decoder, found = Decoder(), []
        while len(found) < 4:
            data, fds = receive(theirs)
            for message, its_fds in decoder.feed(data, fds):
                found.append((message["k"], [_name_and_close(fd) for fd in its_fds]))
        assert found == [(0, []), (1, names[:2]), (2, []), (3, names[2:])]


def _name_and_close(fd: int):
    with socket.socket(fileno=fd) as sock:
        return sock.getsockname()


def test_a_full_pipe_keeps_frames_and_descriptors_until_there_is_room() -> None:
    ours, theirs = _pair()
    with ours, theirs, socket.socket() as passed:
        passed.bind(("127.0.0.1", 0))
        name = passed.getsockname()
        outbox, body = Outbox(ours), "x" * 100_000
        for number in range(20):
            outbox.put({"n": number, "body": body}, [passed] if number == 15 else [])
        passed.close()  # the outbox has its own copy
        assert not outbox.flush()
        assert outbox.pending_bytes > 0
        decoder, found, named = Decoder(), [], []
        while len(found) < 20:
            data, fds = receive(theirs)
            for message, its_fds in decoder.feed(data, fds):
                found.append(message["n"])
                named += [_name_and_close(fd) for fd in its_fds]
            outbox.flush()
        assert found == list(range(20))
        assert named == [name]
        assert outbox.pending_bytes == 0


def test_closing_an_outbox_gives_its_descriptors_back() -> None:
    ours, theirs = _pair()
    with ours, theirs, socket.socket() as passed:
        before = len(os.listdir("/proc/self/fd"))
        outbox = Outbox(ours)
        outbox.put({}, [passed])
        outbox.close()
        assert len(os.listdir("/proc/self/fd")) == before


def test_the_end_of_the_stream_is_no_octets() -> None:
    ours, theirs = _pair()
    with theirs:
        ours.close()
        assert receive(theirs) == (b"", [])
