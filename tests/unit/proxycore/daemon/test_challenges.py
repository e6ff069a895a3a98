"""Port 80 of a node: what is answered, and how little else can be done there."""

import pytest

from proxycore.daemon.challenges import answer

ANSWERS = {"tok-en_1": "tok-en_1.thumb"}
PATH = b"/.well-known/acme-challenge/tok-en_1"
OK = b"HTTP/1.1 200 OK\r\n"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\n"


def test_a_pending_token_is_answered() -> None:
    said = answer(b"GET " + PATH + b" HTTP/1.1\r\nHost: mail.example.com\r\n\r\n", ANSWERS)
    assert said.startswith(OK)
    assert b"\r\nContent-Length: 14\r\n" in said
    assert said.endswith(b"\r\n\r\ntok-en_1.thumb")


def test_head_gives_no_body() -> None:
    said = answer(b"HEAD " + PATH + b" HTTP/1.0\r\n\r\n", ANSWERS)
    assert said.startswith(OK)
    assert b"\r\nContent-Length: 14\r\n" in said
    assert said.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /.well-known/acme-challenge/other HTTP/1.1",
        b"GET /.well-known/acme-challenge/ HTTP/1.1",
        b"GET /.well-known/acme-challenge/tok-en_1/.. HTTP/1.1",
        b"GET " + PATH + b"?x=1 HTTP/1.1",
        b"GET http://mail.example.com" + PATH + b" HTTP/1.1",
        b"POST " + PATH + b" HTTP/1.1",
        b"GET  " + PATH + b" HTTP/1.1",
        b"GET " + PATH,
        b"GET / HTTP/1.1",
        b"\x16\x03\x01",
        b"",
    ],
)
def test_everything_else_is_not_found(request_line: bytes) -> None:
    assert answer(request_line + b"\r\n\r\n", ANSWERS).startswith(NOT_FOUND)
