"""SMTP commands and replies as octets."""

import pytest

from proxycore.wire.smtp import continued_lines, offered_mechanisms, parse, parse_reply_line


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


@pytest.mark.parametrize(
    ("line", "offer"),
    [
        (b"250-AUTH PLAIN login\r\n", [b"PLAIN", b"LOGIN"]),
        (b"250 AUTH=NTLM\r\n", [b"NTLM"]),
        (b"250 auth \n", []),
        (b"250-AUTHORISED\r\n", None),
        (b"250 mail.example.com AUTH PLAIN\r\n", None),
        (b"220 AUTH PLAIN\r\n", None),
    ],
)
def test_mechanisms_are_offered_in_a_line_of_the_ehlo_reply(
    line: bytes, offer: list[bytes] | None
) -> None:
    assert offered_mechanisms(line) == offer


@pytest.mark.parametrize(
    ("octets", "lines"),
    [
        (b"250-a\r\n250-b\n250 c\r\n", b"250-a\r\n250-b\n"),
        (b"250-a\r\n250-b", b"250-a\r\n"),
        (b"250-a\r\nnonsense\r\n250-b\r\n", b"250-a\r\n"),
        (b"250 c\r\n250-a\r\n", b""),
        (b"250-\n", b"250-\n"),
        (b"150-a\r\n", b""),
        (b"", b""),
    ],
)
def test_only_whole_lines_that_others_follow_are_passed_over(octets: bytes, lines: bytes) -> None:
    assert continued_lines(octets) == lines
