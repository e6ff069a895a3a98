"""What an auth service is asked, octet by octet: logins with a password."""

import contextlib
import socket
from collections.abc import Generator

import pytest

from tests.peer.stage import Stage, staged
from tests.support.ports import free_port, release
from tests.support.talk import Imap, b64, plain

_MAIL = """
    auth_http http://@AUTH@/mail/auth?who=me;
    proxy_timeout 15s;
    server { listen @1@; protocol imap; imap_auth plain login; }
    server { listen @2@; protocol pop3; }
    server { listen @3@; protocol smtp; smtp_auth plain login; server_name mx.example.com; }
    server {
        listen @4@;
        protocol imap;
        auth_http @AUTH@;
        auth_http_header X-Key "s e";
        auth_http_header X-B b;
    }
    server { listen unix:@DIR@/front.sock; protocol imap; }
    server { listen [::1]:@SIX@; protocol imap; }
"""
_TEMPLATE = """\
GET /mail/auth?who=me HTTP/1.0
Host: 127.0.0.1
Auth-Method: plain
Auth-User: u
Auth-Pass: p
Auth-Protocol: {protocol}
Auth-Login-Attempt: 1
Client-IP: 127.0.0.1

"""
_REFUSED = {"Auth-Status": "No", "Auth-Wait": "1"}


@pytest.fixture(scope="module")
def port_of_ipv6() -> Generator[int, None, None]:
    port = free_port()
    yield port
    release(port)


@pytest.fixture(scope="module")
def stage(kind: str, port_of_ipv6: int) -> Generator[Stage, None, None]:
    words = {"SIX": port_of_ipv6}
    with staged(kind, _MAIL, lambda _: {"Auth-Status": "No"}, words=words) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_asked(stage: Stage) -> None:
    stage.auth.clear()
    stage.auth.decide = lambda _: {"Auth-Status": "No"}


def _raw(protocol: str, *more: str) -> bytes:
    text = _TEMPLATE.format(protocol=protocol)[:-1] + "".join(f"{line}\n" for line in (*more, ""))
    return text.replace("\n", "\r\n").encode("latin-1")


@pytest.mark.parametrize(
    "lines",
    [
        ["a LOGIN u p"],
        ['a login "u" "p"'],
        ["a LOGIN {1+}", "u {1+}", "p"],
        [f"a AUTHENTICATE PLAIN {plain('u', 'p')}"],
        [f"a authenticate plain {plain('u', 'p')}"],
        ["a AUTHENTICATE PLAIN", plain("u", "p")],
        ["a AUTHENTICATE LOGIN", b64("u"), b64("p")],
        [f"a AUTHENTICATE LOGIN {b64('u')}", b64("p")],
    ],
)
def test_imap(stage: Stage, lines: list[str]) -> None:
    with stage.imap() as talk:
        talk.send(*lines)
        assert talk.rest().endswith("a NO No\r\n")
    assert [request.common for request in stage.auth.requests] == [_raw("imap")]


@pytest.mark.parametrize(
    "lines",
    [
        ["USER u", "PASS p"],
        [f"AUTH PLAIN {plain('u', 'p')}"],
        ["AUTH PLAIN", plain("u", "p")],
        ["AUTH LOGIN", b64("u"), b64("p")],
        [f"AUTH LOGIN {b64('u')}", b64("p")],
    ],
)
def test_pop3(stage: Stage, lines: list[str]) -> None:
    with stage.pop3(2) as talk:
        talk.send(*lines)
        assert talk.rest().endswith("-ERR No\r\n")
    assert [request.common for request in stage.auth.requests] == [_raw("pop3")]


@pytest.mark.parametrize(
    "lines",
    [
        [f"AUTH PLAIN {plain('u', 'p')}"],
        ["AUTH PLAIN", plain("u", "p")],
        ["EHLO laptop", "AUTH LOGIN", b64("u"), b64("p")],
        [f"AUTH LOGIN {b64('u')}", b64("p")],
    ],
)
def test_smtp_tells_the_host_name(stage: Stage, lines: list[str]) -> None:
    with stage.smtp(3) as talk:
        talk.send(*lines)
        assert talk.rest().endswith("535 5.7.0 No\r\n")
    wanted = _raw("smtp", "Client-Host: [UNAVAILABLE]")
    assert [request.common for request in stage.auth.requests] == [wanted]


def test_headers_of_the_configuration_come_last_in_their_order(stage: Stage) -> None:
    with stage.imap(4) as talk:
        talk.ask("a LOGIN u p")
    (request,) = stage.auth.requests
    assert request.lines[0] == "GET / HTTP/1.0"
    assert request.lines[-2:] == ["X-Key: s e", "X-B: b"]


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("us er%", "us%20er%25"),
        ("a\tb\x01\x1f", "a%09b%01%1F"),
        ("w\xe9\x7f\xff", "w\xe9\x7f\xff"),
        (r'q"uote\:+=', r'q"uote\:+='),
        ("%41", "%2541"),
    ],
)
def test_login_and_password_are_escaped(stage: Stage, typed: str, sent: str) -> None:
    size = len(typed)
    with stage.imap() as talk:
        talk.send(f"a LOGIN {{{size}+}}", f"{typed} {{{size}+}}", typed)
        assert talk.line() == "a NO No"
    (request,) = stage.auth.requests
    assert (request["Auth-User"], request["Auth-Pass"]) == (sent, sent)


@pytest.mark.theirs("ours refuses what could end a line: test_injection.py")
def test_nginx_escapes_line_ends(stage: Stage) -> None:
    with stage.imap() as talk:
        talk.send("a LOGIN u {5+}", "p\r\nw\xe9")
        assert talk.line() == "a NO No"
    assert stage.auth.requests[0]["Auth-Pass"] == "p%0D%0Aw\xe9"


@pytest.mark.parametrize("response", ["", "=", b64("\0\0"), b64("u\0\0")])
def test_empty_credentials_by_sasl(stage: Stage, response: str) -> None:
    plain_only = response.startswith(("AA", "dQ"))
    with stage.imap() as talk:
        if plain_only:
            talk.send("a AUTHENTICATE PLAIN", response)
        else:
            talk.send("a AUTHENTICATE LOGIN", response, response)
        assert talk.rest().endswith("a NO No\r\n")
    (request,) = stage.auth.requests
    assert (request["Auth-User"], request["Auth-Pass"]) == ("", "")


def test_attempts_are_counted(stage: Stage) -> None:
    stage.auth.decide = lambda _: _REFUSED
    with stage.imap() as talk:
        talk.ask("a LOGIN u p")
        talk.ask(f"b AUTHENTICATE PLAIN {plain('u', 'p')}")
    attempts = [request["Auth-Login-Attempt"] for request in stage.auth.requests]
    assert attempts == ["1", "2"]


def test_a_client_on_a_unix_socket_has_no_address(stage: Stage) -> None:
    path = str(stage.proxy.directory / "front.sock")
    with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(BrokenPipeError):
        client.settimeout(8)
        client.connect(path)
        client.recv(100)
        client.sendall(b"a LOGIN u p\r\n")
        assert client.recv(100) == b"a NO No\r\n"
    assert stage.auth.requests[0]["Client-IP"] == "unix:"


def test_an_ipv6_client_has_no_brackets(stage: Stage, port_of_ipv6: int) -> None:
    with Imap(port_of_ipv6, address="::1") as talk:
        talk.line()
        talk.ask("a LOGIN u p")
    assert stage.auth.requests[0]["Client-IP"] == "::1"
