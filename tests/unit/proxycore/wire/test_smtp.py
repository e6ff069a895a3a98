"""SMTP commands and replies as octets."""

import pytest

from proxycore.wire.smtp import parse, parse_reply_line


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"QUIT", (b"QUIT", [])),
        (b"ehlo  example.com ", (b"EHLO", [b"example.com"])),
        (b"MAIL FROM:<a@b> SIZE=1", (b"MAIL", [b"FROM:<a@b>", b"SIZE=1"])),
        (b"NOOP 1 2 3 4 5 6 7 8 9 10 11", (b"NOOP", [b"%d" % n for n in range(1, 12)])),
        (b"starttls", (b"STARTTLS", [])),
    ],
)
def test_commands(line: bytes, command: tuple[bytes, list[bytes]]) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" NOOP",
        b"DATA",
        b"BDAT 1",
        b"XCLIENT ADDR=192.0.2.1",
        b"STARTTLSX",
        b"NO\rOP",
        b"NOOP\t1",
        b"NOOP 1 2 3 4 5 6 7 8 9 10 11 12",
    ],
)
def test_lines_that_are_no_command(line: bytes) -> None:
    assert parse(line) is None


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"250 ok", (b"250", False)),
        (b"250-ok", (b"250", True)),
        (b"250", (b"250", False)),
        (b"250x", None),
        (b"25 ok", None),
        (b"150 ok", None),
        (b"", None),
        (b"\xff\xff\xff ", None),
    ],
)
def test_reply_lines(line: bytes, reply: tuple[bytes, bool] | None) -> None:
    assert parse_reply_line(line) == reply
