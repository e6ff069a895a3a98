"""Plays transcripts against the session machine."""

from collections.abc import Callable
from types import SimpleNamespace

from proxycore.contract.authhttp import (
    AuthFailed,
    AuthFault,
    AuthOk,
    AuthThrottled,
    AuthWait,
    Verdict,
)
from proxycore.contract.reasons import CloseReason
from proxycore.dialogue import commands, events
from proxycore.dialogue.profile import Facts, Profile, build
from proxycore.dialogue.session import Session
from proxycore.dialogue.states import State
from tests.support.dialogue import (
    HOSTNAME,
    Cut,
    Dialogue,
    Happened,
    Line,
    Said,
    Wanted,
    differences,
    whole,
)

_FACTS = {"client_ip": "192.0.2.1", "client_host": "[UNAVAILABLE]"}


class RecordingSession(Session):
    """A session that remembers its moves."""

    __slots__ = ("moves",)

    def __init__(self, profile: Profile, facts: Facts) -> None:
        super().__init__(profile, facts)
        self.moves: list[tuple[State, State]] = []

    def _enter(self, state: State) -> None:
        before = self.state
        super()._enter(state)
        self.moves.append((before, state))


class Player:
    """One playing of one transcript."""

    def __init__(self, dialogue: Dialogue, cut: Cut = whole) -> None:
        self._dialogue = dialogue
        self._cut = cut
        facts = SimpleNamespace(
            client_port=1, local_ip="192.0.2.2", local_port=1, proxy=None, tls=None
        )
        facts.session, facts.challenge = "boot.1", b"42707877.1795342490"
        facts.__dict__.update(_FACTS | dialogue.facts)
        profile = build(dialogue.server, HOSTNAME)
        self._secured = profile.secured
        start = self._secured if dialogue.is_inside_tls else profile
        self.session = RecordingSession(start, facts)
        self.done: list[commands.Command] = []
        """Every command, in order."""
        self._since: list[Line] = []
        self._is_relayed = False
        self._is_closed = False
        self._is_timed = False

    def play(self) -> "Player":
        """Play to the end; an AssertionError shows where the story went another way."""
        expected: list[Line] = []
        if self._dialogue.is_accepted:
            self._tell(events.Accepted())
        for line in self._dialogue.lines:
            if isinstance(line, Wanted) or (isinstance(line, Said) and line.party in "SB"):
                expected.append(line)
                continue
            self._check(expected)
            expected = []
            self._do(line)
        self._check(expected)
        return self

    def _check(self, expected: list[Line]) -> None:
        difference = differences(expected, self._since, self._dialogue.shown)
        assert not difference, f"{self._dialogue.path}\n{difference}"
        self._since = []

    def _do(self, line: Line) -> None:
        if isinstance(line, Happened) and line.name == "FrontSecured":
            self._tell(events.FrontSecured(self._secured))
        elif isinstance(line, Happened):
            self._tell(_event(line))
        elif isinstance(line, Said):
            for piece in self._cut(line.octets):
                if self._is_relayed:
                    self._since.append(Said("B" if line.party == "C" else "S", piece))
                else:
                    kind = events.FrontBytes if line.party == "C" else events.BackBytes
                    self._tell(kind(piece))

    def _tell(self, event: events.Event) -> None:
        if self._is_closed:
            return
        if isinstance(event, events.TimerFired):
            assert self._is_timed, f"{self._dialogue.path}: no timer is armed"
            self._is_timed = False
        for command in self.session.handle(event):
            self.done.append(command)
            _RENDER[type(command)](self, command)

    def _send_front(self, command: commands.SendFront) -> None:
        self._since.append(Said("S", command.data))

    def _send_back(self, command: commands.SendBack) -> None:
        self._since.append(Said("B", command.data))

    def _ask_auth(self, command: commands.AskAuth) -> None:
        request = command.request
        wishes = {
            "user": request.login,
            "password": request.password,
            "method": request.method.encode(),
            "attempt": b"%d" % request.attempt,
            "protocol": request.protocol.value.encode(),
            "ip": request.client_ip.encode(),
            "host": request.client_host.encode(),
            "salt": request.salt,
            "helo": request.smtp_helo,
            "from": request.smtp_from,
            "to": request.smtp_to,
        }
        self._since.append(Wanted("AskAuth", [], wishes))

    def _connect_back(self, command: commands.ConnectBack) -> None:
        wishes = {"tls": command.proxy_ssl.encode(), "name": command.ssl_name.encode()}
        self._since.append(Wanted("ConnectBack", [command.address, str(command.port)], wishes))

    def _secure_back(self, _command: commands.SecureBack) -> None:
        self._since.append(Wanted("SecureBack", [], {}))

    def _set_timer(self, command: commands.SetTimer) -> None:
        self._is_timed = True
        self._since.append(Wanted("SetTimer", [f"{command.after_ms / 1000:g}s"], {}))

    def _cancel_timer(self, _command: commands.CancelTimer) -> None:
        self._is_timed = False
        self._since.append(Wanted("CancelTimer", [], {}))

    def _relay(self, command: commands.Relay) -> None:
        assert not self._is_timed, "the machine's timer survives it"
        self._is_relayed = True
        self._since += [Said("S", command.to_front), Wanted("Relay", [], {})]
        if command.to_back:
            self._since.append(Said("B", command.to_back))

    def _close(self, command: commands.Close) -> None:
        self._is_closed = True
        self._since.append(Wanted("Close", [command.reason.value], {}))

    def _secure_front(self, _command: commands.SecureFront) -> None:
        self._since.append(Wanted("SecureFront", [], {}))

    def _note(self, command: commands.Note) -> None:
        self._since.append(Wanted("Note", [command.level, *command.message.split()], {}))


_RENDER: dict[type[commands.Command], Callable[..., None]] = {
    commands.SendFront: Player._send_front,
    commands.SendBack: Player._send_back,
    commands.AskAuth: Player._ask_auth,
    commands.ConnectBack: Player._connect_back,
    commands.SecureBack: Player._secure_back,
    commands.SetTimer: Player._set_timer,
    commands.CancelTimer: Player._cancel_timer,
    commands.Relay: Player._relay,
    commands.Close: Player._close,
    commands.Note: Player._note,
    commands.SecureFront: Player._secure_front,
}


def _event(line: Happened) -> events.Event:
    if line.name == "FrontDistrusted":
        return events.FrontDistrusted(" ".join(line.words), "client certificate will not do")
    if line.name == "AuthAnswered":
        return events.AuthAnswered(verdict_of(line))
    if line.words:
        kind: Callable[[CloseReason], events.Event] = getattr(events, line.name)
        return kind(CloseReason(line.words[0]))
    event: events.Event = getattr(events, line.name)()
    return event


def verdict_of(line: Happened) -> Verdict:
    """Give the verdict of a line ``? AuthAnswered``."""
    kind, facts = line.words[0], line.facts
    verdict: Verdict
    login = facts.get("login")
    if kind == "ok":
        server, port = facts["server"].decode(), int(facts["port"])
        verdict = AuthOk(server=server, port=port, login=login, password=facts.get("password"))
        verdict.master = facts.get("master", b"")
        verdict.proxy_ssl = facts["ssl"].decode() if "ssl" in facts else None
        verdict.proxy_ssl_name = facts.get("ssl_name", b"").decode()
        verdict.proxy_auth = {b"on": True, b"off": False}.get(facts.get("auth", b""))
        return verdict
    if kind == "failed":
        code = facts.get("code", b"")
        wait_s = int(facts.get("wait", 0))
        verdict = AuthFailed(text=facts["text"], wait_s=wait_s, error_code=code, login=login)
        verdict.error_sasl = facts.get("sasl", b"")
        return verdict
    if kind == "wait":
        return AuthWait(wait_s=int(facts.get("wait", 0)), login=login)
    if line.words[0] == "throttled":
        return AuthThrottled(" ".join(line.words[1:]))
    return AuthFault(CloseReason(line.words[1]), " ".join(line.words[2:]))
