"""POP3 commands as octets."""

import pytest

from proxycore.wire.pop3 import parse


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"NOOP", (b"NOOP", [])),
        (b"noop  ", (b"NOOP", [])),
        (b"CAPA  one   two ", (b"CAPA", [b"one", b"two"])),
        (b"APOP joe 0123", (b"APOP", [b"joe", b"0123"])),
        (b"USER", (b"USER", [])),
        (b"USER   ", (b"USER", [])),
        (b"USER   joe doe  ", (b"USER", [b"joe doe  "])),
        (b"PASS \x00\xe9", (b"PASS", [b"\x00\xe9"])),
        (b"pass a b c d e", (b"PASS", [b"a b c d e"])),
    ],
)
def test_commands(line: bytes, command: tuple[bytes, list[bytes]]) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    "line",
    [b"", b" NOOP", b"NOO", b"NOOPS", b"LIST", b"NOOP\t", b"NO\rOP", b"PASS a\r", b"CAPA 1 2 3 4"],
)
def test_lines_that_are_no_command(line: bytes) -> None:
    assert parse(line) is None
