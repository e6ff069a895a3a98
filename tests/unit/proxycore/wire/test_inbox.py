"""The compacting buffer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.wire.inbox import Inbox, LineTooLong


def _fed(*pieces: bytes) -> Inbox:
    inbox = Inbox()
    for piece in pieces:
        inbox.feed(piece)
    return inbox


@pytest.mark.parametrize(
    ("octets", "line"),
    [
        (b"NOOP\r\n", b"NOOP"),
        (b"NOOP\n", b"NOOP"),
        (b"\r\n", b""),
        (b"\n", b""),
        (b"NO\rOP\r\n", b"NO\rOP"),
        (b"NOOP\r\r\n", b"NOOP\r"),
    ],
)
def test_a_line_loses_its_end_and_nothing_else(octets: bytes, line: bytes) -> None:
    assert _fed(octets).take_line(100) == line


def test_an_incomplete_line_is_waited_for() -> None:
    inbox = _fed(b"NO")
    assert inbox.take_line(100) is None
    inbox.feed(b"OP\r")
    assert inbox.take_line(100) is None
    inbox.feed(b"\nQUIT\r\n")
    assert inbox.take_line(100) == b"NOOP"
    assert inbox.take_line(100) == b"QUIT"
    assert inbox.take_line(100) is None


def test_a_raw_line_keeps_its_end() -> None:
    inbox = _fed(b"+OK\r\n+OK\n")
    assert inbox.take_raw_line(100) == b"+OK\r\n"
    assert inbox.take_raw_line(100) == b"+OK\n"


def test_a_line_may_fill_the_limit_but_not_exceed_it() -> None:
    assert _fed(b"12345678\r\n").take_line(10) == b"12345678"
    with pytest.raises(LineTooLong):
        _fed(b"123456789\r\n").take_line(10)


def test_what_is_too_long_does_not_depend_on_packets() -> None:
    assert _fed(b"123456789").take_line(10) is None
    with pytest.raises(LineTooLong):
        _fed(b"123456789", b"\r").take_line(10)
    with pytest.raises(LineTooLong):
        _fed(b"123456789", b"\r\n").take_line(10)


def test_lines_that_were_taken_make_room() -> None:
    inbox = _fed(b"12345\r\n" * 50)
    assert [inbox.take_line(10) for _ in range(50)] == [b"12345"] * 50
    assert len(inbox) == 0


def test_octets_are_taken_by_count() -> None:
    inbox = _fed(b"abc")
    assert inbox.take(4) is None
    assert inbox.take(0) == b""
    assert inbox.take(2) == b"ab"
    inbox.feed(b"de\n")
    assert inbox.take_line(10) == b"cde"


def test_everything_can_be_taken() -> None:
    inbox = _fed(b"ab", b"c\r\nd")
    inbox.take(1)
    assert inbox.take_all() == b"bc\r\nd"
    assert inbox.take_all() == b""
    assert len(inbox) == 0


def test_looking_takes_nothing() -> None:
    inbox = _fed(b"xabc")
    inbox.take(1)
    assert inbox.peek(2) == b"ab"
    assert len(inbox) == 3


def test_what_was_taken_is_not_kept() -> None:
    inbox = _fed(b"NOOP\r\n" * 1000)
    while inbox.take_line(10) is not None:
        pass
    assert inbox.waiting == b""


@given(st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b""]), max_size=30))
def test_lines_are_those_of_the_whole_however_it_was_cut(pieces: list[bytes]) -> None:
    inbox, lines = Inbox(), []
    for piece in pieces:
        inbox.feed(piece)
        while (line := inbox.take_raw_line(1000)) is not None:
            lines.append(line)
    whole = b"".join(pieces)
    end = whole.rfind(b"\n") + 1
    assert b"".join(lines) == whole[:end]
    assert all(line.count(b"\n") == 1 for line in lines)
    assert inbox.take_all() == whole[end:]
