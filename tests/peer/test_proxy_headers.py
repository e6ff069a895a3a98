"""PROXY headers, good and bad, from clients; and the one sent to mail servers."""

import contextlib
import socket
import struct
from collections.abc import Generator

import pytest

from tests.peer.stage import Stage, staged
from tests.support.stub_backends import ImapStub
from tests.support.talk import Imap

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    proxy_timeout 15s;
    timeout 700ms;
    set_real_ip_from 127.0.0.1;
    server { listen @1@ proxy_protocol; protocol imap; }
    server { listen @2@ proxy_protocol; protocol imap; proxy_protocol on; }
    server { listen @3@; protocol imap; }
"""
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_SOURCE, _TARGET = ("192.0.2.1", 1234), ("192.0.2.2", 143)
_FIELDS = ("Addr", "Port", "Server-Addr", "Server-Port")


@pytest.fixture(scope="module")
def stage(kind: str, imap_backend: ImapStub) -> Generator[Stage, None, None]:
    with staged(kind, _MAIL, lambda _: {"Auth-Status": "No"}) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_asked(stage: Stage) -> None:
    stage.auth.clear()
    stage.auth.decide = lambda _: {"Auth-Status": "No"}


def _v2(
    command: int = 0x21, family: int = 0x11, addresses: bytes = b"", more: bytes = b""
) -> bytes:
    body = addresses + more
    return _SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


def _inet(source: tuple[str, int] = _SOURCE, target: tuple[str, int] = _TARGET) -> bytes:
    packed = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    return packed + struct.pack("!HH", source[1], target[1])


def _inet6() -> bytes:
    packed = b"".join(socket.inet_pton(socket.AF_INET6, text) for text in ("2001:db8::1", "::1"))
    return packed + struct.pack("!HH", 1234, 143)


def _told(stage: Stage, header: bytes) -> list[str]:
    """Connect with this header and log in; gives the client's address and the header's as told."""
    with Imap(stage.ports[0]) as talk:
        talk.socket.sendall(header)
        assert talk.line().startswith("* OK")
        talk.ask("a LOGIN u p")
    (request,) = stage.auth.requests
    return [request["Client-IP"], *(request[f"Proxy-Protocol-{field}"] for field in _FIELDS)]


_BELIEVED = ["192.0.2.1", "192.0.2.1", "1234", "192.0.2.2", "143"]
_NOBODY = ["127.0.0.1", "", "", "", ""]


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 143\r\n", _BELIEVED),
        (
            b"PROXY TCP6 2001:db8::1 ::1 1234 143\r\n",
            ["2001:db8::1", "2001:db8::1", "1234", "::1", "143"],
        ),
        (b"PROXY UNKNOWN\r\n", _NOBODY),
        (b"PROXY UNKNOWN ffff:f...f:ffff what ever\r\n", _NOBODY),
        (_v2(addresses=_inet()), _BELIEVED),
        (_v2(addresses=_inet(), more=b"\x04\0\3abc"), _BELIEVED),
        (
            _v2(family=0x21, addresses=_inet6()),
            ["2001:db8::1", "2001:db8::1", "1234", "::1", "143"],
        ),
        (_v2(command=0x20, family=0, more=b""), _NOBODY),
    ],
)
def test_headers_that_are_understood(stage: Stage, header: bytes, told: list[str]) -> None:
    assert _told(stage, header) == told


@pytest.mark.nginx_since("1.23.3")  # it read 107 octets at most
def test_a_header_of_a_unix_socket_names_nobody(stage: Stage) -> None:
    assert _told(stage, _v2(family=0x31, addresses=b"\0" * 216)) == _NOBODY


@pytest.mark.parametrize(
    "header",
    [
        b"a NOOP\r\n",
        b"\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1234\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 65536\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 x 143\r\n",
        b"PROXY TCP5 192.0.2.1 192.0.2.2 1234 143\r\n",
        b"proxy TCP4 192.0.2.1 192.0.2.2 1234 143\r\n",
        _SIGNATURE + b"\x11\x11\0\x0c" + _inet(),
        _v2(addresses=_inet()[:-1]),
        b"\x16\x03\x01\x02\0\x01\0",
    ],
)
def test_anything_else_ends_the_session_without_a_word(stage: Stage, header: bytes) -> None:
    with Imap(stage.ports[0]) as talk:
        talk.socket.sendall(header)
        with contextlib.suppress(OSError):  # it may have ended already
            talk.socket.shutdown(socket.SHUT_WR)
        assert talk.rest() == ""
    assert stage.proxy.log_contains("broken header")


def test_no_header_at_all_is_waited_for_until_the_timeout(stage: Stage) -> None:
    with Imap(stage.ports[0]) as talk:
        assert talk.rest() == ""


@pytest.mark.ours("nginx looks at them when more comes")
def test_commands_may_follow_in_the_same_write(stage: Stage) -> None:
    with Imap(stage.ports[0]) as talk:
        talk.socket.sendall(_v2(addresses=_inet()) + b"a NOOP\r\n")
        assert [talk.line(), talk.line()] == ["* OK IMAP4 ready", "a OK completed"]


@pytest.mark.parametrize(
    "header", [b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 143\r\n", _v2(addresses=_inet())]
)
@pytest.mark.ours("nginx takes a header in one piece only")
def test_a_header_may_come_in_pieces(stage: Stage, header: bytes) -> None:
    with Imap(stage.ports[0]) as talk:
        for i in range(len(header)):
            talk.socket.sendall(header[i : i + 1])
        assert talk.line() == "* OK IMAP4 ready"
        talk.ask("a LOGIN u p")
    assert stage.auth.requests[0]["Client-IP"] == "192.0.2.1"


@pytest.mark.ours("nginx looks at characters only")
@pytest.mark.parametrize("source", ["999.0.2.7", "1.2.3"])
def test_an_address_that_is_none_is_not_believed(stage: Stage, source: str) -> None:
    with Imap(stage.ports[0]) as talk:
        talk.socket.sendall(f"PROXY TCP4 {source} 192.0.2.2 1234 143\r\n".encode())
        if talk.line():
            talk.ask("a LOGIN u p")
    assert [request["Client-IP"] for request in stage.auth.requests] in ([], ["127.0.0.1"])


@pytest.mark.parametrize(
    "header", [b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", _v2(addresses=_inet())]
)
def test_a_header_where_none_belongs_is_a_command(stage: Stage, header: bytes) -> None:
    with stage.imap(3) as talk:
        talk.socket.sendall(header + b"b LOGIN u p\r\n")
        received = talk.rest()
    assert "BAD" in received
    assert [request["Client-IP"] for request in stage.auth.requests] in ([], ["127.0.0.1"])


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 143\r\n",
            "PROXY TCP4 192.0.2.1 127.0.0.1 1234 @2@",
        ),
        (b"PROXY UNKNOWN\r\n", "PROXY TCP4 127.0.0.1 127.0.0.1 @CLIENT@ @2@"),
    ],
)
def test_the_mail_server_is_told_in_the_first_line(
    stage: Stage, imap_backend: ImapStub, header: bytes, line: str
) -> None:
    imap_backend.clear()
    # the stub speaks first; what it reads first must be the header all the same
    answer = {"Auth-Server": "127.0.0.1", "Auth-Port": str(imap_backend.port)}
    stage.auth.decide = lambda _: answer
    imap_backend.script = lambda text: {"": "* OK hi", "PROXY": None}.get(
        text.partition(" ")[0], f"{text.partition(' ')[0]} OK in"
    )
    with Imap(stage.ports[1]) as talk:
        client = str(talk.socket.getsockname()[1])
        talk.socket.sendall(header)
        talk.line()
        assert talk.ask("a LOGIN u p") == "a OK in"
    wanted = line.replace("@2@", str(stage.ports[1])).replace("@CLIENT@", client)
    assert imap_backend.received()[0] == wanted
