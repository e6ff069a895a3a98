"""The little HTTP of auth_http: heads as nginx reads them, framing as RFC 9112 has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.wire.http import (
    CHUNKED,
    MAX_BODY_BYTES,
    UNTIL_CLOSE,
    BadReply,
    Body,
    read_head,
    render_start,
)


def test_requests_begin_as_nginx_begins_them() -> None:
    assert render_start("/auth", "h", keep=False) == b"GET /auth HTTP/1.0\r\nHost: h\r\n"
    assert render_start("/a?b", "h:81", keep=True) == b"GET /a?b HTTP/1.1\r\nHost: h:81\r\n"


@pytest.mark.parametrize(
    ("text", "status", "lines"),
    [
        (b"HTTP/1.0 200 OK\r\nA: b\r\nC: d\r\n\r\nbody", 200, [b"A: b", b"C: d"]),
        (b"HTTP/1.0 500 No\nA: b\n\nbody", 500, [b"A: b"]),
        (b"A: b\r\nC: d\r\n\r\nbody", 0, [b"A: b", b"C: d"]),
        (b"HTTP/1.1 200\r\n\r\nbody", 200, []),
        (b"HTTP/nonsense\r\nA: b\r\n\r\nbody", 0, [b"A: b"]),
        (b"\r\nbody", 0, []),
        (b"\nbody", 0, []),
        (b"A: b\n\r\nbody", 0, [b"A: b"]),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", 200, [b"A: b"]),
    ],
)
def test_a_head_is_read_and_found_only_when_complete(
    text: bytes, status: int, lines: list[bytes]
) -> None:
    head = read_head(text)
    assert head is not None
    assert (head.status, head.lines) == (status, lines)
    assert text[head.end :] == b"body"
    for cut in range(head.end):
        assert read_head(text[:cut]) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"HTTP/1.0 200\rOK\r\nA: b\r\n\r\n", "sent invalid response"),
        (b"HTTP/1.0 200 OK\r\nA: b\rc\r\n\r\n", "sent invalid header in response"),
        (b"A: " + b"x" * 17_000, "sent too long response header"),
        (b"A: " + b"x" * 17_000 + b"\r\n\r\n", "sent too long response header"),
        (b"HTTP/1.1 100 C\r\n\r\n" * 1_000, "sent too long response header"),
    ],
)
def test_what_is_no_head_is_refused_in_nginx_words(text: bytes, words: str) -> None:
    with pytest.raises(BadReply, match=words):
        read_head(text)


@pytest.mark.parametrize(
    ("headers", "body", "keep"),
    [
        (b"Content-Length: 5", 5, True),
        (b"content-length:0", 0, True),
        (b"Transfer-Encoding: chunked", CHUNKED, True),
        (b"Content-Length: 5\r\nConnection: close", 5, False),
        (b"Content-Length: 5\r\nConnection: foo, Close", 5, False),
        (b"Content-Length: 5\r\nConnection: keep-alive", 5, True),
        (b"X: y", UNTIL_CLOSE, False),
        (b"Content-Length: 5\r\nContent-Length: 5", 5, True),
        (b"Content-Length: 5\r\nContent-Length: 6", UNTIL_CLOSE, False),
        (b"Content-Length: -5", UNTIL_CLOSE, False),
        (b"Content-Length: 5x", UNTIL_CLOSE, False),
        (b"Content-Length: 99999999", 99_999_999, False),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked", UNTIL_CLOSE, False),
        (b"Transfer-Encoding: gzip", UNTIL_CLOSE, False),
        (b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", UNTIL_CLOSE, False),
    ],
)
def test_framing_decides_whether_a_connection_is_kept(
    headers: bytes, body: int, keep: bool
) -> None:
    head = read_head(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % headers)
    assert head is not None
    assert (head.body, head.keep) == (body, keep)


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_a_status_without_body_has_none(status: bytes) -> None:
    head = read_head(b"HTTP/1.1 %b\r\nContent-Length: 7\r\n\r\n" % status)
    assert head is not None
    assert (head.body, head.keep) == (0, True)


@pytest.mark.parametrize(
    "text", [b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", b"Content-Length: 0\r\n\r\n"]
)
def test_only_http_1_1_is_kept(text: bytes) -> None:
    head = read_head(text)
    assert head is not None
    assert head.keep is False


BODIES = [
    (5, b"12345"),
    (CHUNKED, b"0\r\n\r\n"),
    (CHUNKED, b"5\r\n12345\r\n0\r\n\r\n"),
    (CHUNKED, b"A;ext=1\r\n0123456789\r\n1\r\nx\r\n0\r\nTrailer: t\r\n\r\n"),
    (CHUNKED, b"3\nabc\n0\n\n"),
]


@given(st.sampled_from(BODIES), st.data())
def test_a_body_ends_where_it_ends_however_it_is_cut(
    framed: tuple[int, bytes], data: st.DataObject
) -> None:
    framing, octets = framed
    body, rest = Body(framing), octets
    while rest:
        cut = data.draw(st.integers(1, len(rest)))
        assert not body.done
        assert body.take(rest[:cut])
        rest = rest[cut:]
    assert body.done
    assert body.take(b"")
    assert not body.take(b"x")


def test_an_empty_body_is_done_at_once() -> None:
    assert Body(0).done


@pytest.mark.parametrize(
    ("framing", "octets"),
    [
        (5, b"123456"),
        (CHUNKED, b"zz\r\n"),
        (CHUNKED, b"3\r\nabcd\r\n"),
        (CHUNKED, b"0\r\n\r\nHTTP/1.1 200 OK\r\n"),
        (CHUNKED, b"1" * 2_000),
        (CHUNKED, b"fffffffff\r\n"),
        (CHUNKED, b"10000\r\n" + b"x" * MAX_BODY_BYTES),
    ],
)
def test_a_body_out_of_frame_or_out_of_bounds_is_not_kept(framing: int, octets: bytes) -> None:
    assert not Body(framing).take(octets)


@given(st.binary(max_size=300))
def test_nothing_makes_it_raise_anything_else(octets: bytes) -> None:
    for text in (octets, b"HTTP/1.1 " + octets, octets + b"\r\n\r\n"):
        try:
            head = read_head(text)
        except BadReply:
            continue
        assert head is None or head.end <= len(text)
    Body(CHUNKED).take(octets)
