"""Session machines brought to a wanted state, without transcripts."""

from types import SimpleNamespace

from proxycore.contract.authhttp import AuthFailed, AuthOk, AuthWait
from proxycore.contract.protocol import Protocol
from proxycore.contract.reasons import CloseReason
from proxycore.contract.snapshot import AuthHttp, Listen, Server
from proxycore.contract.tls import FrontTls
from proxycore.dialogue import events
from proxycore.dialogue.credential import Credential
from proxycore.dialogue.profile import Profile, build
from proxycore.dialogue.session import Session
from proxycore.dialogue.states import State

FACTS = SimpleNamespace(
    client_ip="192.0.2.1",
    client_port=50_000,
    local_ip="192.0.2.2",
    local_port=1143,
    client_host="[UNAVAILABLE]",
    proxy=None,
    tls=None,
    session="boot.1",
    challenge=b"42707877.1795342490",
)

_LOGIN = {
    Protocol.IMAP: b"a1 LOGIN joe secret\r\n",
    Protocol.POP3: b"USER joe\r\nPASS secret\r\n",
    Protocol.SMTP: b"AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n",
}
_STARTTLS = {
    Protocol.IMAP: b"a1 STARTTLS\r\n",
    Protocol.POP3: b"STLS\r\n",
    Protocol.SMTP: b"STARTTLS\r\n",
}
_BACK = {
    Protocol.IMAP: b"* OK hi\r\na1 OK in\r\n",
    Protocol.POP3: b"+OK\r\n+OK\r\n+OK\r\n",
    Protocol.SMTP: b"220 hi\r\n250 ok\r\n220 ok\r\n",
}
_OK = events.AuthAnswered(AuthOk(server="192.0.2.9", port=143))


def server(protocol: Protocol, **settings: object) -> Server:
    """Give a server block with the defaults and these settings."""
    return Server(
        name="story",
        protocol=protocol,
        listens=(Listen(port=1),),
        auth_http=AuthHttp(host="auth.example.com"),
        **settings,  # type: ignore[arg-type]
    )


def profile(protocol: Protocol, **settings: object) -> Profile:
    """Give the profile of such a server block."""
    return build(server(protocol, **settings), "mx.example.com")


def credential(login: bytes, password: bytes, **more: object) -> Credential:
    """Give a password, or with ``mechanism`` a token, to log in with at a mail server."""
    known = {"mechanism": b"", "master": b"", "authenticates": False, **more}
    return Credential(login, password, **known)  # type: ignore[arg-type]


def session_in(state: State, protocol: Protocol, **settings: object) -> Session:
    """Give a session that came to this state on the usual way."""
    if state is State.DELAYING:
        protocol, settings = Protocol.SMTP, {**settings, "smtp_greeting_delay_ms": 1000}
    if state is State.SECURING:
        settings = {**settings, "front_tls": FrontTls(starttls="on")}
    session = Session(profile(protocol, **settings), FACTS)
    for event in _way_to(state, protocol):
        session.handle(event)
    assert session.state is state
    return session


def _way_to(state: State, protocol: Protocol) -> list[events.Event]:
    submitted = [events.Accepted(), events.FrontBytes(_LOGIN[protocol])]
    connected = [*submitted, _OK, events.BackConnected()]
    ways: dict[State, list[events.Event]] = {
        State.NEW: [],
        State.DELAYING: [events.Accepted()],
        State.IDENTIFYING: [events.Accepted()],
        State.AUTHORISING: submitted,
        State.REFUSING: [*submitted, events.AuthAnswered(AuthFailed(text=b"no", wait_s=3))],
        State.RETRYING: [*submitted, events.AuthAnswered(AuthWait(wait_s=3))],
        State.CONNECTING: [*submitted, _OK],
        State.LOGGING_IN: connected,
        State.RELAYING: [*connected, events.BackBytes(_BACK[protocol])],
        State.SECURING: [events.Accepted(), events.FrontBytes(_STARTTLS[protocol])],
        State.CLOSED: [events.Stop(CloseReason.KICKED)],
    }
    return ways[state]
