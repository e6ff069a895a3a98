"""The PROXY protocol: what is a header, what is none, and what we write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.contract.authhttp import ProxyFacts
from proxycore.wire.proxyproto import (
    MAX_V1_BYTES,
    MAX_V2_BYTES,
    BadHeader,
    crc32c,
    read_header,
    render_v1,
    render_v2,
)

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
IPV4 = bytes((192, 0, 2, 1, 192, 0, 2, 2)) + b"\x00\x7b\x16\x2e"
FACTS = ProxyFacts(client_ip="192.0.2.1", client_port=123, server_ip="192.0.2.2", server_port=5678)


def v2(body: bytes, *, command: int = 0x21, family: int = 0x11, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return SIGNATURE + bytes((command, family)) + size.to_bytes(2, "big") + body


def tlv(kind: int, value: bytes) -> bytes:
    return bytes((kind,)) + len(value).to_bytes(2, "big") + value


@pytest.mark.parametrize(
    ("header", "facts"),
    [
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 123 5678\r\n", FACTS),
        (
            b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n",
            ProxyFacts(client_ip="2001:db8::1", client_port=1, server_ip="::1", server_port=65_535),
        ),
        (
            b"PROXY TCP4 999.0.2.7 192.0.2.2 0 0\r\n",
            ProxyFacts(client_ip="999.0.2.7", client_port=0, server_ip="192.0.2.2", server_port=0),
        ),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN whatever it says\r\n", None),
        (v2(IPV4), FACTS),
        (v2(IPV4 + tlv(1, b"h2") + tlv(4, b"")), FACTS),
        (
            v2(bytes(15) + b"\1" + bytes(10) + b"\xff\xff\1\2\3\4" + b"\0\1\0\2", family=0x21),
            ProxyFacts(client_ip="::1", client_port=1, server_ip="::ffff:1.2.3.4", server_port=2),
        ),
        (v2(IPV4, command=0x20), None),
        (v2(b"", command=0x20, family=0), None),
        (v2(IPV4, command=0x2F), None),
        (v2(IPV4, family=0x12), None),
        (v2(b"/a".ljust(108, b"\0") + b"/b".ljust(108, b"\0"), family=0x31), None),
        (v2(b"x" * 50, family=0xF1), None),
    ],
)
def test_headers(header: bytes, facts: ProxyFacts | None) -> None:
    for rest in (b"", b"EHLO x\r\n", b"\x16\x03\x01"):
        read = read_header(header + rest)
        assert read is not None
        assert (read.facts, read.end) == (facts, len(header))
    for cut in range(len(header)):
        assert read_header(header[:cut]) is None


@pytest.mark.parametrize(
    "octets",
    [
        b"EHLO x\r\n",
        b"a1 LOGIN u p\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 123 5678\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 123 5678 \r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 123 65536\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 -1 1\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 123\r\n",
        b"PROXY TCP4  192.0.2.1 192.0.2.2 123 1\r\n",
        b"PROXY TCP4 host 192.0.2.2 123 1\r\n",
        b"PROXY TCP5 192.0.2.1 192.0.2.2 1 1\r\n",
        b"PROXY UDP4 192.0.2.1 192.0.2.2 1 1\r\n",
        b"PROXY UNKNOWN" + b" " * (MAX_V1_BYTES - 14) + b"\r\n",
        b"PROXY TCP4 " + b"1" * 100,
        SIGNATURE + b"\x11\x11\0\0",
        SIGNATURE + b"\x31\x11\0\0",
        v2(IPV4[:-1]),
        v2(IPV4, family=0x21),
        v2(b"", length=MAX_V2_BYTES),
        v2(IPV4 + b"\1"),
        v2(IPV4 + b"\1\0\3ab"),
        v2(IPV4 + b"\1\xff\xff" + b"a" * 100),
        v2(IPV4 + tlv(3, b"\0\0\0\0")),
        v2(IPV4 + tlv(3, b"")),
    ],
)
def test_no_headers(octets: bytes) -> None:
    with pytest.raises(BadHeader):
        read_header(octets)


def test_a_line_of_exactly_the_longest_length_is_a_header() -> None:
    line = b"PROXY UNKNOWN".ljust(MAX_V1_BYTES - 2) + b"\r\n"
    header = read_header(line)
    assert header is not None
    assert header.end == MAX_V1_BYTES


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: SIGNATURE + tail))
def test_any_octets_are_a_header_the_beginning_of_one_or_none(octets: bytes) -> None:
    try:
        header = read_header(octets)
    except BadHeader:
        return
    assert header is None or header.end <= len(octets)


@pytest.mark.parametrize(
    ("client", "local", "line"),
    [
        (("192.0.2.1", 123), ("10.0.0.1", 25), b"PROXY TCP4 192.0.2.1 10.0.0.1 123 25\r\n"),
        (("2001:db8::1", 1), ("::1", 2), b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n"),
        (("2001:db8::1", 1), ("10.0.0.1", 2), b"PROXY TCP6 2001:db8::1 ::ffff:10.0.0.1 1 2\r\n"),
        (("unix:", 0), ("unix:", 0), b"PROXY UNKNOWN\r\n"),
        (("192.0.2.1", 5), ("unix:", 0), b"PROXY UNKNOWN\r\n"),
    ],
)
def test_version_1_written(client: tuple[str, int], local: tuple[str, int], line: bytes) -> None:
    assert render_v1(client, local) == line


@pytest.mark.parametrize(
    ("client", "local", "start"),
    [
        (("192.0.2.1", 123), ("192.0.2.2", 5678), b"\x21\x11\0\x13" + IPV4),
        (
            ("::ffff:192.0.2.1", 123),
            ("::ffff:192.0.2.2", 5678),
            b"\x21\x11\0\x13" + IPV4,
        ),
        (
            ("192.0.2.1", 123),
            ("::1", 5678),
            b"\x21\x21\0\x2b" + bytes(10) + b"\xff\xff\xc0\0\2\1" + bytes(15) + b"\1",
        ),
        (("unix:", 0), ("unix:", 0), b"\x20\x00\0\7"),
    ],
)
def test_version_2_written(client: tuple[str, int], local: tuple[str, int], start: bytes) -> None:
    header = render_v2(client, local)
    assert header.startswith(SIGNATURE + start)
    assert header[-7:-4] == b"\3\0\4"
    assert crc32c(header[:-4] + bytes(4)) == int.from_bytes(header[-4:], "big")


def test_what_we_write_we_read() -> None:
    more = ((2, b"mail.example"), (0x20, b"\1"))
    header = read_header(render_v2(("192.0.2.1", 123), ("192.0.2.2", 5678), more))
    assert header is not None
    assert header.facts == FACTS
    assert header.tlvs[:2] == more
    line = read_header(render_v1(("192.0.2.1", 123), ("192.0.2.2", 5678)))
    assert line is not None
    assert line.facts == FACTS


def test_one_changed_bit_breaks_the_checksum() -> None:
    header = bytearray(render_v2(("192.0.2.1", 123), ("192.0.2.2", 5678)))
    header[17] ^= 1
    with pytest.raises(BadHeader):
        read_header(bytes(header))


def test_the_checksum_of_the_standard() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
