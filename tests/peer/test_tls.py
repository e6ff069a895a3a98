"""What must not cross from before TLS into it, and from one server into another."""

import contextlib
import os
import re
import socket
import ssl
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.peer.stage import Stage, staged
from tests.support.pki import Authority
from tests.support.strangers import trusting
from tests.support.talk import Imap, Pop3, Smtp, Talk

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    server_name mx.example.com;
    proxy_timeout 15s;
    ssl_certificate @CRT@;
    ssl_certificate_key @KEY@;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:SSL:1m;
    ssl_session_ticket_key @TICKETS@;
    server { listen @1@; protocol imap; starttls on; }
    server { listen @2@; protocol pop3; starttls on; }
    server { listen @3@; protocol smtp; starttls on; }
    server { listen @4@ ssl; protocol imap; }
    server {
        listen @5@ ssl;
        protocol imap;
        ssl_verify_client on;
        ssl_client_certificate @AUTHORITY@;
    }
    server { listen @6@ ssl; protocol imap; ssl_session_tickets off; }
    server {
        listen @7@ ssl;
        protocol imap;
        ssl_session_tickets off;
        ssl_verify_client on;
        ssl_client_certificate @AUTHORITY@;
    }
    server {
        listen @8@ ssl proxy_protocol;
        protocol imap;
        set_real_ip_from 127.0.0.1;
    }
    server {
        listen @9@ proxy_protocol;
        protocol imap;
        starttls only;
        set_real_ip_from 127.0.0.1;
    }
"""
_HEADER = "PROXY TCP4 192.0.2.7 192.0.2.8 99 993\r\n"


@pytest.fixture(scope="module")
def stage(
    kind: str, certificate: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Generator[Stage, None, None]:
    directory = tmp_path_factory.mktemp("tls")
    (directory / "authority.pem").write_text(Authority().pem)
    (directory / "tickets").write_bytes(os.urandom(80))
    words = {
        **certificate,
        "AUTHORITY": directory / "authority.pem",
        "TICKETS": directory / "tickets",
    }
    refusing = {"Auth-Status": "No"}
    with staged(kind, _MAIL, lambda _: refusing, words=words) as running:
        yield running


# --- STARTTLS and what comes with it --------------------------------------------------------------

_KINDS: dict[str, tuple[type[Talk], int, str]] = {
    "imap": (Imap, 1, "1 STARTTLS\r\n"),
    "pop3": (Pop3, 2, "STLS\r\n"),
    "smtp": (Smtp, 3, "STARTTLS\r\n"),
}
_ASKED = {"imap": "9 NOOP", "pop3": "CAPA", "smtp": "EHLO me"}
_ANSWERED = {"imap": r"^9 OK", "pop3": r"^\+OK", "smtp": r"^250 "}
_INJECTED = [
    ("imap", "2 FOO\r\n"),
    ("imap", "2 LOGIN evil {4+}\r\nevil\r\n"),
    ("imap", "2 LOGIN {4+}\r\n"),
    ("imap", "2 AUTHENTICATE LOGIN\r\n"),
    ("pop3", "FOO\r\n"),
    ("pop3", "USER evil\r\nPASS evil\r\n"),
    ("pop3", "USER evil"),
    ("smtp", "FOO\r\n"),
    ("smtp", "AUTH LOGIN\r\n"),
    ("smtp", "EHLO ev"),
]


def _nothing_is_answered(stage: Stage, protocol: str, talk: Talk) -> None:
    """Shake hands, if that is still wanted, and see the first answer there is."""
    try:
        talk.seal(trusting())
    except OSError:
        return
    # of two answers the first would be to what was injected
    assert re.search(_ANSWERED[protocol], talk.ask(_ASKED[protocol]))
    if protocol == "pop3":
        while talk.line() not in (".", ""):
            pass
    talk.socket.settimeout(0.2)
    assert talk.line() == ""


@pytest.mark.parametrize(("protocol", "injected"), _INJECTED)
def test_nothing_in_one_segment_with_starttls_is_answered(
    stage: Stage, protocol: str, injected: str
) -> None:
    kind, server, starttls = _KINDS[protocol]
    with kind.greeted(stage.ports[server - 1]) as talk:
        talk.write(starttls + injected)
        if re.search(kind.ok, talk.line()):
            _nothing_is_answered(stage, protocol, talk)
    assert stage.auth.requests == []


@pytest.mark.ours("nginx takes no more from this segment, and goes on")
@pytest.mark.parametrize(("protocol", "injected"), _INJECTED)
def test_what_is_in_one_segment_with_starttls_ends_the_session(
    stage: Stage, protocol: str, injected: str
) -> None:
    kind, server, starttls = _KINDS[protocol]
    with kind.greeted(stage.ports[server - 1]) as talk:
        talk.write(starttls + injected)
        assert talk.rest().count("\r\n") == 1


@pytest.mark.parametrize(("protocol", "injected"), _INJECTED)
@pytest.mark.parametrize("with_hello", [False, True])
def test_nothing_between_starttls_and_the_handshake_is_answered(
    stage: Stage, protocol: str, injected: str, with_hello: bool
) -> None:
    kind, server, starttls = _KINDS[protocol]
    with kind.greeted(stage.ports[server - 1]) as talk:
        talk.write(starttls)
        assert re.search(kind.ok, talk.line())
        talk.write(injected + (_hello() if with_hello else ""))
        talk.socket.shutdown(socket.SHUT_WR)
        # an alert at most
        assert not re.search(r"^(?:2 |[-+]|\d{3}[ -])", talk.rest(), re.MULTILINE)
    assert stage.auth.requests == []


def _hello() -> str:
    """Give the first octets of a handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting().wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read().decode("latin-1")


@pytest.mark.ours("nginx goes on with what it knew (RFC 3207 §4.2)")
def test_a_greeting_before_tls_is_forgotten(stage: Stage) -> None:
    with stage.smtp(3) as talk:
        talk.ask("EHLO evil.example")
        talk.ask("STARTTLS")
        talk.seal(trusting())
        assert talk.ask("AUTH LOGIN").startswith("503 ")


# --- other protocols ------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", _KINDS)
def test_no_other_protocol_after_starttls(stage: Stage, protocol: str) -> None:
    kind, server, starttls = _KINDS[protocol]
    with kind.greeted(stage.ports[server - 1]) as talk:
        talk.write(starttls)
        assert re.search(kind.ok, talk.line())
        with pytest.raises(OSError, match=r"(?i)no.application.protocol"):
            talk.seal(trusting(alpn="http/1.1"))


@pytest.mark.ours("nginx answers three lines of it")
def test_an_http_request_inside_tls_ends_the_session(stage: Stage) -> None:
    with Imap.greeted(stage.ports[3], trusting()) as talk:
        talk.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert talk.rest().count("\r\n") <= 1


# --- sessions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(("first", "second"), [(4, 5), (6, 7)], ids=["ticket", "session id"])
def test_a_session_does_not_open_a_server_that_wants_a_certificate(
    stage: Stage, first: int, second: int, version: ssl.TLSVersion
) -> None:
    context = trusting(version=version)
    with Imap.greeted(stage.ports[first - 1], context) as talk:
        session = talk.tls.session
    with Imap(stage.ports[first - 1]) as talk:
        assert talk.seal(context, session=session).tls.session_reused
    with Imap(stage.ports[second - 1]) as talk:
        # nginx refuses the handshake in some versions of OpenSSL, or does a full one
        try:
            talk.seal(context, session=session)
        except OSError:
            return
        assert not talk.tls.session_reused
        assert talk.line() == "* BYE No required SSL certificate"


# --- the PROXY header -----------------------------------------------------------------------------


def _client_ip(stage: Stage, talk: Talk) -> str:
    stage.auth.clear()
    assert talk.ask("a LOGIN u p") == "a NO No"
    (request,) = stage.auth.requests
    stage.auth.clear()
    return request["Client-IP"]


@pytest.mark.parametrize("apart", [False, True])
def test_the_proxy_header_comes_before_tls(stage: Stage, apart: bool) -> None:
    with Imap(stage.ports[7]) as talk:
        if apart:
            talk.write(_HEADER)
            talk.seal(trusting())
        else:
            _seal_behind(talk, _HEADER)
        assert re.search(talk.ok, talk.line())
        assert _client_ip(stage, talk) == "192.0.2.7"


@pytest.mark.ours("nginx takes a header in one piece only")
def test_the_proxy_header_may_be_cut_anywhere(stage: Stage) -> None:
    with Imap(stage.ports[7]) as talk:
        for letter in _HEADER[:-1]:
            talk.write(letter)
        _seal_behind(talk, _HEADER[-1:])
        assert re.search(talk.ok, talk.line())
        assert _client_ip(stage, talk) == "192.0.2.7"


def test_the_proxy_header_comes_before_the_greeting(stage: Stage) -> None:
    with Imap(stage.ports[8]) as talk:
        assert re.search(talk.ok, talk.ask(_HEADER.removesuffix("\r\n")))
        assert talk.ask("1 STARTTLS").startswith("1 OK")
        talk.seal(trusting())
        assert _client_ip(stage, talk) == "192.0.2.7"


@pytest.mark.parametrize("before", [b"", _HEADER[:20].encode()])
def test_tls_without_the_header_ends_the_session(stage: Stage, before: bytes) -> None:
    with Imap(stage.ports[7]) as talk:
        talk.socket.sendall(before + _hello().encode("latin-1"))
        with contextlib.suppress(OSError):
            # who has hung up already needs no telling that nothing more comes
            talk.socket.shutdown(socket.SHUT_WR)
        assert talk.rest() == ""


def _seal_behind(talk: Talk, header: str) -> None:
    """Shake hands, with the header in one segment with the first octets."""
    talk.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    talk.write(header)
    talk.seal(trusting())
    talk.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
