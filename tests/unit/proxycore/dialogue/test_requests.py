"""What the auth service is asked, and what of its answer is kept."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from proxycore.contract.authhttp import AuthFailed, AuthOk, AuthRequest, ProxyFacts
from proxycore.contract.protocol import Protocol
from proxycore.contract.reasons import CloseReason
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthHttpHeader
from proxycore.contract.tls import BackTls
from proxycore.dialogue.commands import AskAuth, Close, ConnectBack, Note, SendFront
from proxycore.dialogue.events import Accepted, AuthAnswered, FrontBytes
from proxycore.dialogue.profile import Profile, build
from proxycore.dialogue.session import Session
from proxycore.dialogue.states import State
from tests.support.sessions import FACTS, profile, server, session_in


def _asked(shared: Profile, facts: SimpleNamespace = FACTS) -> AuthRequest:
    session = Session(shared, facts)
    session.handle(Accepted())
    (*_, last) = session.handle(FrontBytes(b"a1 LOGIN joe secret\r\n"))
    assert isinstance(last, AskAuth)
    return last.request


def test_a_request_says_by_which_ports_the_client_came() -> None:
    request = _asked(profile(Protocol.IMAP))
    assert (request.client_ip, request.client_port) == ("192.0.2.1", 50_000)
    assert request.server_port == 1143


@pytest.mark.parametrize(
    ("value", "ip", "session"),
    [("x", "", ""), ("at $server_addr", "192.0.2.2", ""), ("$session", "", "boot.1")],
)
def test_what_costs_is_found_out_only_if_a_header_wants_it(
    value: str, ip: str, session: str
) -> None:
    plain = server(Protocol.IMAP)
    header = AuthHttpHeader(name="X", value=Secret(value))
    told = replace(plain, auth_http=replace(plain.auth_http, headers=(header,)))
    request = _asked(build(told, "host"))
    assert (request.server_ip, request.session) == (ip, session)


def test_what_a_proxy_header_said_is_passed_on() -> None:
    said = ProxyFacts(client_ip="198.51.100.7", client_port=1, server_ip="::1", server_port=2)
    facts = SimpleNamespace(**{**vars(FACTS), "proxy": said})
    assert _asked(profile(Protocol.IMAP), facts).proxy is said
    assert _asked(profile(Protocol.IMAP)).proxy is None


@pytest.mark.parametrize(
    "verdict",
    [
        AuthOk(server="192.0.2.9", port=1, session="s-1"),
        AuthFailed(text=b"no", session="s-1", wait_s=1),
    ],
)
def test_the_service_s_name_of_the_session_is_kept(verdict: AuthOk | AuthFailed) -> None:
    session = session_in(State.AUTHORISING, Protocol.IMAP)
    session.handle(AuthAnswered(verdict))
    assert session.auth_session == "s-1"


def test_the_challenge_is_made_once_and_only_if_it_is_wanted() -> None:
    class Facts(SimpleNamespace):
        made = 0

        @property
        def challenge(self) -> bytes:
            Facts.made += 1
            return b"%d.1" % Facts.made

    known = {name: value for name, value in vars(FACTS).items() if name != "challenge"}
    _asked(profile(Protocol.IMAP, imap_auth=("cram-md5",)), Facts(**known))
    assert Facts.made == 0
    session = Session(profile(Protocol.POP3, pop3_auth=("apop", "cram-md5")), Facts(**known))
    (greeting, _) = session.handle(Accepted())
    assert greeting == SendFront(b"+OK POP3 ready <1.1@mx.example.com>\r\n")
    session.handle(FrontBytes(b"AUTH CRAM-MD5\r\n*\r\nAUTH CRAM-MD5\r\n"))
    assert Facts.made == 1


@pytest.mark.parametrize("field", ["login", "password", "master"])
@pytest.mark.parametrize("octet", [b"\r", b"\n", b"\0"])
def test_no_answer_puts_a_line_into_a_command(field: str, octet: bytes) -> None:
    session = session_in(State.AUTHORISING, Protocol.POP3)
    verdict = AuthOk(server="192.0.2.9", port=1, password=b"x")
    setattr(verdict, field, b"a" + octet + b"DELE 1")
    (note, _, close) = session.handle(AuthAnswered(verdict))
    assert isinstance(note, Note)
    assert close == Close(CloseReason.AUTH_INVALID)


@pytest.mark.parametrize("protocol", list(Protocol))
def test_tls_of_an_unknown_kind_is_no_kind(protocol: Protocol) -> None:
    session = session_in(State.AUTHORISING, protocol)
    verdict = AuthOk(server="192.0.2.9", port=1, proxy_ssl="wat")
    (*_, close) = session.handle(AuthAnswered(verdict))
    assert close == Close(CloseReason.AUTH_INVALID)


@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize("configured", ["none", "implicit", "starttls"])
@pytest.mark.parametrize(
    ("said", "meant"),
    [(None, ""), ("off", "none"), ("on", "implicit"), ("starttls", "starttls")],
)
def test_the_auth_service_knows_better_than_the_configuration(
    protocol: Protocol, configured: str, said: str | None, meant: str
) -> None:
    session = session_in(State.AUTHORISING, protocol, back_tls=BackTls(proxy_ssl=configured))
    verdict = AuthOk(server="192.0.2.9", port=1, proxy_ssl=said, proxy_ssl_name="mx.example.com")
    (*_, connect) = session.handle(AuthAnswered(verdict))
    assert connect == ConnectBack("192.0.2.9", 1, meant or configured, "mx.example.com")
