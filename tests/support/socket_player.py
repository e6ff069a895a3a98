"""Plays transcripts through real sockets: an engine, and three peers who say what is written.

The engine runs in the test's thread and its clock stands still until the story says that time has
passed. So nothing is waited for, and a timer is shown to fire when it is due and not before.

What differs from the text is only where things are: ``192.0.2.9`` is a socket of ours, the client
gets its address by a PROXY header, and Notes of the auth service name its real address.
"""

import errno
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Final

import pytest

from proxycore.contract import stats
from proxycore.contract.authhttp import AuthFault
from proxycore.contract.authhttp.places import is_host_name
from proxycore.contract.authhttp.reply import render_reply_headers
from proxycore.contract.reasons import CloseReason
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthHttp, Listen, Resolver, Server, Snapshot
from proxycore.contract.tls import Certificate
from proxycore.net import reactor
from proxycore.net.front_leg import FrontLeg
from tests.support.dialogue import HOSTNAME, Cut, Dialogue, Happened, Line, Said, Wanted, whole
from tests.support.machine import verdict_of
from tests.support.sealed_peer import Parties, Sealed
from tests.support.stub_auth import Request
from tests.unit.proxycore.net.house import House, Peer, listening
from tests.unit.proxycore.net.house import house as built

NAME: Final = "story"
CHALLENGE: Final = b"42707877.1795342490"
_OUR_ADDRESS: Final = "192.0.2.2"
_SHORTLY_S: Final = 0.1
_AUTH_TIMEOUT_S: Final = 60.0
_COMPLAINT: Final = ("client certificate will not do", "client SSL certificate verify error")
"""What a story says, and what OpenSSL's reasons begin with."""
_HEADERS: Final = {
    "user": "Auth-User",
    "password": "Auth-Pass",
    "method": "Auth-Method",
    "attempt": "Auth-Login-Attempt",
    "protocol": "Auth-Protocol",
    "ip": "Client-IP",
    "host": "Client-Host",
    "salt": "Auth-Salt",
    "helo": "Auth-SMTP-Helo",
    "from": "Auth-SMTP-From",
    "to": "Auth-SMTP-To",
}


class Clock:
    """Monotonic time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now = monotonic()

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Stage:
    """What a playing needs."""

    house: House
    clock: Clock
    directory: Path
    """For sockets of the file system."""
    deaf: socket.socket
    """An address nobody listens on."""
    parties: Parties


@contextmanager
def staged(directory: Path, monkeypatch: pytest.MonkeyPatch, parties: Parties) -> Iterator[Stage]:
    """Set the stage: an engine whose clock stands still and whose challenge is the stories'."""
    clock = Clock()
    monkeypatch.setattr(reactor, "monotonic", clock)
    monkeypatch.setattr(FrontLeg, "challenge", CHALLENGE)
    with socket.socket() as deaf, built() as house:
        deaf.bind(("127.0.0.1", 0))
        yield Stage(house, clock, directory, deaf, parties)


class SocketPlayer:
    """One playing of one transcript against the engine of a house."""

    def __init__(
        self, dialogue: Dialogue, stage: "Stage", *, cut: Cut = whole, dns: str = ""
    ) -> None:
        """``dns``: a name server that knows the names of the story, for one that has names."""
        self._dialogue = dialogue
        self._stage = stage
        self._house = stage.house
        self._cut = cut
        self._dns = dns
        self._auth: Peer | None = None
        self._mail: Peer | None = None
        self._mail_listener = self._house.mail
        self._fault: AuthFault | None = None
        self._is_ended = False
        self._client = self._connect()
        server = dialogue.server
        self._timer_s = (server.smtp_greeting_delay_ms or server.timeout_ms) / 1000

    def play(self) -> "SocketPlayer":
        """Play to the end; an AssertionError shows where the story went another way."""
        expected: list[Line] = []
        for line in self._dialogue.lines:
            if isinstance(line, Wanted) or (isinstance(line, Said) and line.party in "SB"):
                expected.append(line)
                continue
            self._check(expected)
            expected = []
            if isinstance(line, Said):
                self._say(line)
            else:
                _HAPPEN[line.name](self, line)
        self._check(expected)
        return self

    def leave(self) -> None:
        """Close both ends; nothing may be left of the session."""
        self._client.close()
        if self._mail is not None:
            self._mail.close()
        self._house.pump(lambda: self._house.engine.open_count == 0, "the end of the session")
        wrong = [line for line in self._house.log.lines if line[0] in ("crit", "alert", "emerg")]
        assert not wrong, wrong

    # --- the stage --------------------------------------------------------------------------------

    def _connect(self) -> Peer:
        house, dialogue = self._house, self._dialogue
        sock = listening()
        client_ip = dialogue.facts.get("client_ip", "192.0.2.1")
        if client_ip == "unix:":
            sock.close()
            path = self._stage.directory / "front"
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(str(path))
            sock.listen()
            listen = Listen(address=f"unix:{path}", port=0)
        else:
            port = sock.getsockname()[1]
            tls = dialogue.is_inside_tls
            listen = Listen(address="127.0.0.1", port=port, proxy_protocol=True, ssl=tls)
        address = sock.getsockname()
        house.engine.apply(Snapshot(servers=(self._server(listen),)), {listen.key: sock})
        client = socket.socket(sock.family)
        client.connect(address)
        peer = house.peer(client)
        if listen.proxy_protocol and (dialogue.is_accepted or dialogue.is_inside_tls):
            family = "TCP6" if ":" in client_ip else "TCP4"
            peer.send(f"PROXY {family} {client_ip} {_OUR_ADDRESS} 1 1\r\n".encode())
        house.pump(lambda: house.engine.open_count == 1, "the connection is accepted")
        if dialogue.is_inside_tls:
            peer = self._sealed_client(peer)
            if not self._is_distrusted:
                peer.shake()
        return peer

    def _sealed_client(self, peer: Peer) -> Sealed:
        parties = self._stage.parties
        words = [one.words for one in self._happenings if one.name == "FrontDistrusted"]
        suspect = words and words[0] == ["SSL", "certificate", "error"]
        context = parties.suspect if suspect else parties.client
        return Sealed(peer, context, name=HOSTNAME, cut=self._cut)

    @property
    def _happenings(self) -> list[Happened]:
        return [line for line in self._dialogue.lines if isinstance(line, Happened)]

    @property
    def _is_distrusted(self) -> bool:
        return any(line.name == "FrontDistrusted" for line in self._happenings)

    def _server(self, listen: Listen) -> Server:
        server = self._dialogue.server
        auth = AuthHttp(host="127.0.0.1", port=self._house.auth.getsockname()[1], uri="/auth")
        pair, authority = self._stage.parties.front, self._stage.parties.authority
        front_tls = replace(
            server.front_tls,
            certificates=(
                Certificate(
                    ssl_certificate=f"data:{pair.pem}",
                    ssl_certificate_key=Secret(f"data:{pair.key_pem}"),
                ),
            ),
            ssl_verify_client="on" if self._is_distrusted else "off",
            ssl_client_certificate=f"data:{authority.pem}" if self._is_distrusted else "",
        )
        back_tls = replace(server.back_tls, proxy_ssl_trusted_certificate=f"data:{authority.pem}")
        return replace(
            server,
            front_tls=front_tls,
            back_tls=back_tls,
            name=NAME,
            listens=(listen,),
            auth_http=auth,
            server_names=server.server_names or (HOSTNAME,),
            set_real_ip_from=("127.0.0.1",),
            resolver=Resolver(addresses=(self._dns,)) if self._dns else server.resolver,
        )

    # --- what is wanted ---------------------------------------------------------------------------

    def _check(self, expected: Sequence[Line]) -> None:
        for line in expected:
            if isinstance(line, Said):
                self._hear(line)
            elif isinstance(line, Wanted):
                _WANT[line.name](self, line)
        if self._mail_listener is not self._stage.deaf:  # whose refusal is there at once
            self._check_silence()

    def _hear(self, line: Said) -> None:
        peer = self._client if line.party == "S" else self._mail
        assert peer is not None, f"{self._where}: nobody hears {line}"
        heard = self._take(peer, len(line.octets))
        assert heard == line.octets, f"{self._where}: {line.party}: {heard!r}, not {line.octets!r}"

    def _take(self, peer: Peer, size: int) -> bytes:
        def is_there() -> bool:
            return len(peer.received) >= size or peer.ended or (peer.read() and False)

        self._house.pump(is_there, f"{self._where}: {size} octets")
        taken, peer.received = peer.received[:size], peer.received[size:]
        return taken

    def _check_silence(self) -> None:
        """Nobody hears more than is written, and nobody else is asked."""
        self._house.idle()
        for peer in filter(None, (self._client, self._auth, self._mail)):
            if not peer.ended and peer.sock.fileno() >= 0:
                peer.read()
            assert peer.received == b"", f"{self._where}: also said: {peer.received!r}"
        assert self._is_ended or not self._client.ended, f"{self._where}: closed"
        for listener in (self._house.auth, self._mail_listener):
            try:
                listener.accept()[0].close()
            except OSError as error:
                assert error.errno in (errno.EAGAIN, errno.EINVAL)  # noqa: PT017  (the rule)
            else:
                raise AssertionError(f"{self._where}: somebody is asked too much")

    @property
    def _where(self) -> str:
        return str(self._dialogue.path)

    def _want_auth(self, line: Wanted) -> None:
        self._auth, raw = self._house.asked()
        request = Request(raw)
        for wish, value in line.wishes.items():
            got = request[_HEADERS[wish]].encode("latin-1")
            if wish in ("user", "password"):
                got = _unescaped(got)
            assert got == value, f"{self._where}: {wish} is {got!r}, not {value!r}"

    def _want_back(self, line: Wanted) -> None:
        if self._mail_listener is self._house.mail:
            self._mail = self._house.accept(self._mail_listener)
            if line.wishes.get("tls") == b"implicit":
                self._want_secure_back(line)

    def _want_secure_back(self, _line: Wanted) -> None:
        assert self._mail is not None
        parties = self._stage.parties
        is_untrusted = any(line.words == ["backend_untrusted"] for line in self._happenings)
        context = parties.impostor if is_untrusted else parties.mail
        self._mail = Sealed(self._mail, context, cut=self._cut)

    def _want_relay(self, _line: Wanted) -> None:
        ledger = self._house.engine.ledger
        self._house.pump(lambda: len(ledger.live) == 1, "the session is relayed")
        assert ledger.counts[stats.series(stats.LOGINS, NAME)] == 1

    def _want_close(self, line: Wanted) -> None:
        self._is_ended = True
        (reason,) = line.words
        counts = self._house.engine.ledger.counts
        name = stats.series(stats.SESSIONS_CLOSED, NAME, reason)
        self._house.pump(lambda: counts.get(name), f"{self._where}: closed by {reason}")
        ends = [name for name, count in counts.items() if "closed" in name and count]
        assert ends == [name]
        for peer in filter(None, (self._client, self._mail)):
            if peer.sock.fileno() >= 0:
                assert peer.expect_end() == b""

    def _want_note(self, line: Wanted) -> None:
        level, *words = line.words
        port = self._house.auth.getsockname()[1]
        text = " ".join(words).replace("auth.example.com:80", f"127.0.0.1:{port}")
        if self._fault is not None:
            # the reason is a story's word for what a socket says in its own
            text = text.removesuffix(self._fault.detail)
        text = text.replace(*_COMPLAINT)
        lines = self._house.log.lines
        self._house.pump(
            lambda: (level, text) in _notes(lines, len(text)), f"{self._where}: {text}"
        )

    def _want_nothing(self, _line: Wanted) -> None:
        """Timers are the machine's: here they are seen when they fire."""

    # --- what happens -----------------------------------------------------------------------------

    def _say(self, line: Said) -> None:
        peer = self._client if line.party == "C" else self._mail
        assert peer is not None
        for piece in self._cut(line.octets):
            if self._is_ended:
                return
            try:
                peer.send(piece)
            except (BrokenPipeError, ConnectionResetError):
                return  # the rest of the story is about the end
            self._house.idle(2)

    def _auth_answered(self, line: Happened) -> None:
        verdict = verdict_of(line)
        auth, self._auth = self._auth, None
        assert auth is not None
        if isinstance(verdict, AuthFault):
            self._fault = verdict
            self._fail_auth(auth, verdict)
            return
        wait_s = int(line.facts.get("wait", b"0"))
        self._timer_s = wait_s or (1 if line.words == ["wait"] else self._timeout_s)
        headers = dict(render_reply_headers(verdict))
        if "Auth-Server" in headers:
            place, port = self._place(headers["Auth-Server"].decode())
            headers |= {"Auth-Server": place.encode(), "Auth-Port": b"%d" % port}
        lines = [b"%b: %b\r\n" % (name.encode(), value) for name, value in headers.items()]
        for piece in self._cut(b"HTTP/1.0 200 OK\r\n" + b"".join(lines) + b"\r\n"):
            auth.send(piece)
            self._house.idle(2)
        auth.expect_end()
        auth.close()

    def _fail_auth(self, auth: Peer, fault: AuthFault) -> None:
        if fault.reason is CloseReason.AUTH_TIMEOUT:
            self._pass(_AUTH_TIMEOUT_S + _SHORTLY_S)
        elif fault.reason is CloseReason.AUTH_INVALID:
            auth.send(b"Auth-Status: OK\r\n\r\n")
        auth.close()

    def _place(self, server: str) -> tuple[str, int]:
        """Give where a mail server of the story really is."""
        if any(
            line == Happened("BackFailed", ["backend_refused"], {}) for line in self._dialogue.lines
        ):
            self._mail_listener = self._stage.deaf
            return "127.0.0.1", self._mail_listener.getsockname()[1]
        port = self._mail_listener.getsockname()[1]
        return (server if is_host_name(server.encode()) else "127.0.0.1"), port

    @property
    def _timeout_s(self) -> float:
        return self._dialogue.server.timeout_ms / 1000

    def _back_connected(self, _line: Happened) -> None:
        if isinstance(self._mail, Sealed):
            self._mail.shake()

    def _front_secured(self, _line: Happened) -> None:
        self._client = client = self._sealed_client(self._client)
        client.shake()

    def _front_distrusted(self, _line: Happened) -> None:
        if not isinstance(self._client, Sealed):
            self._client = self._sealed_client(self._client)
        self._client.shake()

    def _back_failed(self, line: Happened) -> None:
        mail = self._mail
        if isinstance(mail, Sealed) and mail.is_open:
            mail.send_in_clear(b"no TLS\r\n")
        elif isinstance(mail, Sealed):
            mail.try_to_shake()
        elif line.words == ["backend_timeout"]:
            self._pass(self._timeout_s + _SHORTLY_S)

    def _back_closed(self, _line: Happened) -> None:
        assert self._mail is not None
        self._mail.close()

    def _front_closed(self, line: Happened) -> None:
        if line.words == ["tls_failed"]:
            self._client = self._sealed_client(self._client)
            self._client.send_in_clear(b"a NOOP\r\n")
            return
        if line.words:
            self._client.sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        self._client.close()

    def _timer_fired(self, _line: Happened) -> None:
        self._pass(self._timer_s - _SHORTLY_S)
        self._check_silence()
        self._pass(2 * _SHORTLY_S)
        self._timer_s = self._timeout_s

    def _pass(self, seconds: float) -> None:
        self._stage.clock.now += seconds
        self._house.idle()

    def _stop(self, line: Happened) -> None:
        engine = self._house.engine
        if line.words == ["kicked"]:
            assert engine.kick([engine.ledger.name_of(engine.newest)]) == 1
        else:
            assert engine.close_sessions(CloseReason(line.words[0])) == 1


_WANT: Final[dict[str, Callable[[SocketPlayer, Wanted], None]]] = {
    "AskAuth": SocketPlayer._want_auth,
    "ConnectBack": SocketPlayer._want_back,
    "Relay": SocketPlayer._want_relay,
    "Close": SocketPlayer._want_close,
    "Note": SocketPlayer._want_note,
    "SecureFront": SocketPlayer._want_nothing,
    "SecureBack": SocketPlayer._want_secure_back,
    "SetTimer": SocketPlayer._want_nothing,
    "CancelTimer": SocketPlayer._want_nothing,
}

_HAPPEN: Final[dict[str, Callable[[SocketPlayer, Happened], None]]] = {
    "AuthAnswered": SocketPlayer._auth_answered,
    "BackConnected": SocketPlayer._back_connected,
    "BackSecured": SocketPlayer._back_connected,
    "BackFailed": SocketPlayer._back_failed,
    "FrontSecured": SocketPlayer._front_secured,
    "FrontDistrusted": SocketPlayer._front_distrusted,
    "BackClosed": SocketPlayer._back_closed,
    "FrontClosed": SocketPlayer._front_closed,
    "TimerFired": SocketPlayer._timer_fired,
    "Stop": SocketPlayer._stop,
}


def _unescaped(value: bytes) -> bytes:
    first, *others = value.split(b"%")
    return first + b"".join(bytes.fromhex(part[:2].decode()) + part[2:] for part in others)


def _notes(lines: Sequence[tuple[str, str]], size: int) -> list[tuple[str, str]]:
    return [(level, text.partition(" ")[2][:size]) for level, text in lines]
