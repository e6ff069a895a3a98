"""Lines of other protocols."""

import pytest

from proxycore.wire.foreign import is_http_request


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1", b"POST /x?y=z HTTP/1.0", b"PRI * HTTP/2.0"])
def test_http_requests(line: bytes) -> None:
    assert is_http_request(line)


@pytest.mark.parametrize(
    "line", [b"", b"GET /", b"HELO HTTP/1.1", b"a1 LOGIN joe HTTP/1.1", b"get / http/1.1"]
)
def test_mail_commands(line: bytes) -> None:
    assert not is_http_request(line)
