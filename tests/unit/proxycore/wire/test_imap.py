"""IMAP commands as octets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.wire import imap
from proxycore.wire.imap import (
    Command,
    CommandReader,
    GoAhead,
    Malformed,
    greeted_capabilities,
)
from proxycore.wire.inbox import Inbox, LineTooLong

LIMIT = 4096


def _read(octets: bytes, limit: int = LIMIT) -> Command | Malformed | GoAhead | None:
    inbox = Inbox()
    inbox.feed(octets)
    return CommandReader().read(inbox, limit)


def _arguments(octets: bytes) -> list[bytes]:
    command = _read(octets)
    assert isinstance(command, Command)
    return command.arguments


def _tag_of_malformed(octets: bytes) -> bytes:
    line = _read(octets)
    assert isinstance(line, Malformed)
    return line.tag


@pytest.mark.parametrize(
    ("octets", "arguments"),
    [
        (b"a1 NOOP\r\n", []),
        (b"a1 NOOP  \r\n", []),
        (b"a1 LOGIN joe secret\r\n", [b"joe", b"secret"]),
        (b"a1   login   joe   secret  \r\n", [b"joe", b"secret"]),
        (b'a1 LOGIN "joe" "my secret"\r\n', [b"joe", b"my secret"]),
        (b'a1 LOGIN "" ""\r\n', [b"", b""]),
        (b'a1 LOGIN "j\\"o\\\\e" s\r\n', [b'j"o\\e', b"s"]),
        (b'a1 LOGIN jo"e s\\x\r\n', [b'jo"e', b"s\\x"]),
        (b"a1 LOGIN j\xc3\xb6e \x00\r\n", [b"j\xc3\xb6e", b"\x00"]),
        (b"a1 LOGIN {3+}\r\nj\r\n {2+}\r\nab\r\n", [b"j\r\n", b"ab"]),
        (b"a1 LOGIN {0+}\r\n {0+}\r\n\r\n", [b"", b""]),
        (b"a1 NOOP {1+}\r\n1 {1+}\r\n2 {1+}\r\n3\r\n", [b"1", b"2", b"3"]),
        (b'a1 LOGIN {3+}\r\njoe "a\\"b"\r\n', [b"joe", b'a"b']),
        (b"a1 NOOP x}y z}\n", [b"x}y", b"z}"]),
    ],
)
def test_arguments(octets: bytes, arguments: list[bytes]) -> None:
    assert _arguments(octets) == arguments


@pytest.mark.parametrize(
    ("octets", "tag"),
    [
        (b"\r\n", b""),
        (b"a1\r\n", b""),
        (b"a1 \r\n", b"a1"),
        (b"a1 SELECT INBOX\r\n", b"a1"),
        (b"a1 NOOP1\r\n", b"a1"),
        (b"a1 NOOP 1 2 3 4\r\n", b"a1"),
        (b"x" * 33 + b" NOOP\r\n", b""),
        (b"+ NOOP\r\n", b""),
        (b"a\x00 NOOP\r\n", b""),
        (b"%n{} NOOP\r\n", b""),
        (b'a1 LOGIN "joe secret\r\n', b"a1"),
        (b'a1 LOGIN "joe\\\r\n', b"a1"),
        (b'a1 LOGIN "joe"secret x\r\n', b"a1"),
        (b"a1 LOGIN joe\rx y\r\n", b"a1"),
        (b"a1 NOOP\r\r\n", b"a1"),
        (b"a1 LOGIN {x}\r\n", b"a1"),
        (b"a1 LOGIN {3}x\r\n", b"a1"),
        (b"a1 LOGIN {12345678901}\r\n", b"a1"),
        (b"a1 LOGIN {1+}\r\njoe x\r\n", b"a1"),
    ],
)
def test_lines_that_are_no_command(octets: bytes, tag: bytes) -> None:
    assert _tag_of_malformed(octets) == tag


@pytest.mark.parametrize(
    ("octets", "hides"),
    [
        (b"a1 FOOBAR {10+}\r\n", True),
        (b"a1 FOOBAR +} \r\n", True),
        (b"a1 NOOP 1 2 3 {4+}\r\n", True),
        (b"a1 FOOBAR {10}\r\n", False),
    ],
)
def test_a_malformed_line_may_announce_octets_nobody_reads(octets: bytes, hides: bool) -> None:
    line = _read(octets)
    assert isinstance(line, Malformed)
    assert line.hides_literal is hides


def test_a_synchronizing_literal_is_asked_for_once() -> None:
    inbox, reader = Inbox(), CommandReader()
    inbox.feed(b"a1 LOGIN {3}\r\n")
    assert reader.read(inbox, LIMIT) is imap.GO_AHEAD
    assert reader.announced_tag(inbox) == b"a1"
    inbox.feed(b"jo")
    assert reader.read(inbox, LIMIT) is None
    inbox.feed(b"e sec")
    assert reader.read(inbox, LIMIT) is None
    inbox.feed(b"ret\r\n")
    command = reader.read(inbox, LIMIT)
    assert isinstance(command, Command)
    assert command.arguments == [b"joe", b"secret"]


def test_a_literal_that_cannot_fit_is_refused_before_it_is_sent() -> None:
    with pytest.raises(LineTooLong):
        _read(b"a1 LOGIN {4294967295}\r\n")
    with pytest.raises(LineTooLong):
        _read(b"a1 LOGIN {4294967295+}\r\n")
    with pytest.raises(LineTooLong):
        _read(b"a1 LOGIN {60+}\r\n" + b"x" * 60 + b" {60+}\r\n", 128)


def test_the_tag_of_an_unfinished_line_is_known() -> None:
    inbox = Inbox()
    assert CommandReader().announced_tag(inbox) == b""
    inbox.feed(b"a1 LOGIN")
    assert CommandReader().announced_tag(inbox) == b"a1"


@given(
    st.lists(
        st.sampled_from(
            [b"a1", b" ", b"  ", b"LOGIN", b"noop", b'"', b"\\", b"joe", b"{3}", b"\r", b"\xe9"]
        ),
        max_size=9,
    ).map(b"".join)
)
def test_the_short_way_reads_what_the_long_way_reads(line: bytes) -> None:
    short = imap.parse_simple(line)
    if short is None:
        return
    inbox = Inbox()
    reader = CommandReader()
    long = reader._read_first(line, inbox, LIMIT)
    assert isinstance(long, Command)
    assert (short.tag, short.verb, short.arguments) == (long.tag, long.verb, long.arguments)


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        (b"joe", b'"joe"'),
        (b"", b'""'),
        (b"my secret", b'"my secret"'),
        (b'a"b\\c', b'"a\\"b\\\\c"'),
        (b"a\tb\x7f", b'"a\tb\x7f"'),
        (b"a\r", None),
        (b"a\n", None),
        (b"a\0", None),
        (b"\xc3\xb6", None),
        (b"x" * 401, None),
    ],
)
def test_quoting(value: bytes, quoted: bytes | None) -> None:
    assert imap.quote(value) == quoted


@given(st.binary(max_size=20))
def test_what_is_quoted_is_read_back(value: bytes) -> None:
    quoted = imap.quote(value)
    if quoted is not None:
        assert _arguments(b"a1 LOGIN %b x\r\n" % quoted) == [value, b"x"]


# --- ID, and the greeting of a server ------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "given"),
    [
        (b"a ID NIL", b"NIL"),
        (b"a id nil ", b"nil"),
        (b"a ID ()", b"()"),
        (b'a ID ("name" "x")', b'("name" "x")'),
        (b'a  ID ("a" NIL "b" "c\\"d\\\\")', b'("a" NIL "b" "c\\"d\\\\")'),
        (
            b"a ID (" + b" ".join([b'"k" "v"'] * 30) + b")",
            b"(" + b" ".join([b'"k" "v"'] * 30) + b")",
        ),
        (b"a ID", None),
        (b"a ID name", None),
        (b'a ID ("name")', None),
        (b'a ID (name "x")', None),
        (b'a ID ("a" "b" )', None),
        (b'a ID ("a" "b\0")', None),
        (b'a ID ("a" {1})', None),
        (b'a ID ("a" "b") more', None),
        (b"a ID (" + b" ".join([b'"k" "v"'] * 31) + b")", None),
    ],
)
def test_id_has_a_list_of_strings(line: bytes, given: bytes | None) -> None:
    inbox = Inbox()
    inbox.feed(line + b"\r\n")
    command = CommandReader().read(inbox, 4096)
    if given is None:
        assert isinstance(command, Malformed)
        assert command.tag == b"a"
    else:
        assert isinstance(command, Command)
        assert (command.verb, command.arguments) == (b"ID", [given])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"* OK [CAPABILITY IMAP4rev1 idle] hi\r\n", [b"IMAP4rev1", b"idle"]),
        (b"* ok [capability X] hi\r\n", [b"X"]),
        (b"* OK hi\r\n", []),
        (b"* OK [ALERT] [CAPABILITY X]\r\n", []),
        (b"* OK [CAPABILITY X\r\n", []),
    ],
)
def test_a_greeting_may_name_capabilities(line: bytes, words: list[bytes]) -> None:
    assert greeted_capabilities(line) == tuple(words)
