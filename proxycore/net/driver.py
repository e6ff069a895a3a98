"""A session before login: feeds the machine with events and executes its commands.

The only interpreter of commands, and the only owner of both sockets and the timer until the relay
takes over. The sockets themselves are looked after by the legs it is made of.
"""

from collections.abc import Callable
from typing import Any, Final

from proxycore.contract.authhttp import AuthFailed, AuthFault, Verdict
from proxycore.contract.reasons import OF_BACKENDS, CloseReason
from proxycore.dialogue.commands import (
    AskAuth,
    CancelTimer,
    Close,
    Command,
    ConnectBack,
    Note,
    Relay,
    SecureBack,
    SecureFront,
    SendBack,
    SendFront,
    SetTimer,
)
from proxycore.dialogue.events import AuthAnswered, Event, FrontBytes, Stop, TimerFired
from proxycore.dialogue.session import Session
from proxycore.dialogue.states import State
from proxycore.net import relay
from proxycore.net.access import Kept, keep, write_record, write_refusal
from proxycore.net.auth_desk import Asking
from proxycore.net.back_tls import SecuredBackLeg
from proxycore.net.door import Door
from proxycore.net.front_tls_leg import ACCEPTED, FrontTlsLeg
from proxycore.net.ledger import observe
from proxycore.net.log import ACTIONS, ERROR, LEVELS
from proxycore.net.reactor import READ, WRITE

FLUSH_S: Final = 10.0
"""How long a client may take to accept the last reply before it is closed without it."""

PATIENCE_S: Final = 5.0
"""A client that leaves after so long a wait for its mail server counts as a failure there: most
mail programs do not wait for our own time limits."""

_TALKING: Final = frozenset(
    {
        CloseReason.LINE_TOO_LONG,
        CloseReason.TOO_MANY_ERRORS,
        CloseReason.TOO_MANY_COMMANDS,
        CloseReason.EARLY_TALKER,
        CloseReason.TLS_FAILED,
        CloseReason.CLIENT_CERTIFICATE,
        CloseReason.STARTTLS_INJECTION,
        CloseReason.UNSAFE_LITERAL,
        CloseReason.FOREIGN_PROTOCOL,
        CloseReason.LOGIN_FAILED,
    }
)
"""Ends that come while the client may be sending."""

_GONE: Final = {
    CloseReason.CLIENT_CLOSED: "client closed connection",
    CloseReason.CLIENT_ERROR: "connection to client broken",
}
"""Ends that nobody else has a line for."""

_NEW: Final = State.NEW
_TIMER_FIRED: Final = TimerFired()


class Driver(SecuredBackLeg):
    """One accepted connection until it is relayed or closed."""

    __slots__ = ("_asking", "_due", "_was", "client_host")

    def __init__(self, door: Door, front: int, client: tuple[str, int], number: int) -> None:
        # by name, here and in the legs: super() looks it up for every session
        SecuredBackLeg.__init__(self, door, front, client, number)
        self._due = 0.0
        """When the session's timer is to fire (reactor's time); 0: it is not set."""
        self._asking: Asking | None = None
        self._was = _NEW
        self.client_host = "[TEMPUNAVAIL]" if self.client_ip == "unix:" else "[UNAVAILABLE]"
        """Confirmed reverse name of the client; without a resolver none is (dialogues §4.1)."""
        self._machine = Session(self.block.profile, self)

    # --- events in, commands out ---

    def start(self) -> None:
        """Begin the dialogue with a new connection."""
        context = self.context
        context.reactor.watch(self._front, READ, self._on_front)
        self.door.admit(self.number, (self.client_ip, self.client_port))
        context.enter(self, self.client_ip)
        if self.door.secured:
            self._await_hello()
        else:
            self.deliver(ACCEPTED)

    def take_over(self, octets: bytes) -> None:
        """Begin the dialogue with a connection that is watched already, and ``octets`` read."""
        reactor = self.context.reactor
        reactor.change(self._front, READ)
        reactor.hand_over(self._front, self._on_front)
        self.context.drivers[self.number] = self
        if self.door.secured:
            self._await_hello()
            if octets:
                self._on_sealed(octets)
            return
        self.deliver(ACCEPTED)
        if octets and self._machine is not None:
            self.deliver(FrontBytes(octets))

    def _await_hello(self) -> None:
        """TLS comes first; all of the handshake has ``timeout``, its first octet included."""
        self._begin_tls()
        self._set_timer(self.block.profile.timer)

    def deliver(self, event: Event) -> None:
        """Tell the machine, and do what it wants; ends when there is nothing more to do."""
        try:
            machine = self._machine
            while machine is not None:
                self._was = machine.state
                for command in machine.handle(event):
                    _EXECUTE[type(command)](self, command)
                machine = self._machine
                if self._following is None:
                    break
                event, self._following = self._following, None
            if self._front_out and self._front_mask == READ:
                self._flush_front()
                machine = self._machine
            if machine is not None:
                if self._back_out:
                    self._flush_back()
                if self._front_mask != READ or not machine.wants_front or self._front_out:
                    self._remask_front()
        except Exception as bug:  # noqa: BLE001  (the driver's outermost frame)
            self._fail(bug)

    def _fail(self, bug: Exception) -> None:
        self.context.report_bug(bug)
        if self._machine is not None or self._front >= 0:
            self._give_up(CloseReason.INTERNAL)

    def stop(self, reason: CloseReason) -> None:
        """End the session now; one that only waits for its last reply to be taken is cut off."""
        if self._machine is None:
            self._finish()
        else:
            self.deliver(Stop(reason))

    # --- commands ---

    def _send_front(self, command: SendFront) -> None:
        tls = self._front_tls
        self._front_out += command.data if tls is None else tls.write(command.data)

    def _ask_auth(self, command: AskAuth) -> None:
        request, course = command.request, self.course
        course.method = request.method
        course.submitted = request.login
        course.attempts += 1
        course.asked_at = now = self.context.reactor.now
        answer = self.block.desk.ask(request, self._answered)
        if isinstance(answer, Asking):
            course.decided_at, course.cached = 0.0, False
            self._asking = answer
        else:
            course.decided_at, course.cached = now, not isinstance(answer, AuthFault)
            if type(answer) is AuthFailed:
                self._tell_refusal(answer)
            self._following = AuthAnswered(answer)

    def _answered(self, verdict: Verdict) -> None:
        self._asking = None
        course = self.course
        course.decided_at = now = self.context.reactor.now
        observe(self.block.names.auth_time, now - course.asked_at)
        if type(verdict) is AuthFailed:
            self._tell_refusal(verdict)
        self.deliver(AuthAnswered(verdict))

    def _tell_refusal(self, verdict: AuthFailed) -> None:
        if self.block.access.wants_refusals:
            client = (self.client_ip, self.client_port)
            facts = None if self._front_tls is None else self._front_tls.facts
            tls = "" if facts is None else facts.protocol
            place = (self.block, self.number, self.listen, client)
            write_refusal(*place, self.course, tls, verdict.text)

    def _set_timer(self, command: SetTimer) -> None:
        after_s = command.after_ms / 1000
        reactor = self.context.reactor
        self._due = due = reactor.now + after_s
        timer = self._timer
        if timer is not None:
            if timer.at <= due:
                # it looks when it fires; a login sets its timer thrice and needs it never
                return
            timer.cancel()
        self._timer = reactor.call_later(after_s, self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        if not self._due:
            return
        left_s = self._due - self.context.reactor.now
        if left_s > 0:
            self._timer = self.context.reactor.call_later(left_s, self._timer_fired)
            return
        self._due = 0.0
        self.deliver(_TIMER_FIRED)

    def _cancel_timer(self, _command: CancelTimer) -> None:
        self._due = 0.0

    def _note(self, command: Note) -> None:
        level = LEVELS[command.level]
        if level <= ERROR or level <= self.block.log.threshold:
            relaying = self._machine is not None and self._machine.state is State.RELAYING
            action = "" if relaying else command.action or ACTIONS[self._was]
            self._log(command.level, command.message, action)

    def _relay(self, command: Relay) -> None:
        machine = self._machine
        assert machine is not None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        context = self.context
        context.leave(self.number, self.client_ip)
        names, course, now = self.block.names, self.course, context.reactor.now
        context.ledger.counts[names.logins] += 1
        way, connected_at = names.way(self._upstream), course.connected_at
        way.logged_in(connected_at - course.decided_at, now - connected_at)
        front_tls, back_tls = self._front_tls, self._back_tls
        # by position: a login would pay a microsecond for the names
        place = (
            self.block,
            self.number,
            self._front,
            self._back,
            self._front_mask,
            READ | WRITE if self._back_out else READ,
            (self.client_ip, self.client_port),
            self.listen,
            machine.login,
            self._upstream,
            way,
            course.started_at,
            machine.auth_session,
            self._keep(machine.login) if self.block.access.wanted else None,
        )
        front_out, back_out = self._front_out, self._back_out
        self._front = self._back = -1
        self._front_out = self._back_out = b""
        # facts and machine refer to each other; without this the collector would have to come
        self._machine = self._front_tls = self._back_tls = None
        if front_tls is None and back_tls is None:
            plain = relay.Relay(*place)
            plain.start(front_out + command.to_front, back_out + command.to_back)
            return
        from proxycore.net.tls.relay import TlsRelay

        sealed = TlsRelay(*place)
        sealed.use(front_tls, back_tls)
        sealed.begin((front_out, back_out), command.to_front, command.to_back)

    def _close(self, command: Close) -> None:
        reason = command.reason
        if reason in _TALKING:
            self._read_away()
        elif reason in _GONE and self._was is not _NEW:
            # a handshake that is broken off has a line already
            self._log("info", _GONE[reason], ACTIONS[self._was])
        self._give_up(reason)

    def _give_up(self, reason: CloseReason) -> None:
        """End the dialogue; the client's connection stays until it has our last reply."""
        context = self.context
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        machine, self._machine = self._machine, None
        if machine is not None:
            context.ledger.closed(self.block.names, reason)
            if self._upstream and (reason in OF_BACKENDS or self._has_waited(reason)):
                self._count_failure(reason)
            if self.block.access.wanted:
                self._record(machine, reason)
        self._drop_back()
        if self._front_tls is not None:
            self._leave_turn()
            self._front_out += self._front_tls.close()
        self._following = None
        if self._front_out and reason is not CloseReason.INTERNAL:
            self._flush_front()
        if self._front < 0:
            return
        if not self._front_out or reason is CloseReason.INTERNAL:
            self._finish()
            return
        self._remask_front()
        self._timer = context.reactor.call_later(FLUSH_S, self._finish)

    def _has_waited(self, reason: CloseReason) -> bool:
        decided_at = self.course.decided_at
        return reason in _GONE and 0 < decided_at <= self.context.reactor.now - PATIENCE_S

    def _count_failure(self, reason: CloseReason) -> None:
        course, way = self.course, self.block.names.way(self._upstream)
        way.failed(reason)
        if course.connected_at:
            observe(way.connect_time, course.connected_at - course.decided_at)

    def _keep(self, login: bytes) -> Kept:
        return keep(
            self.course,
            self.context.reactor.now,
            connecting=bool(self._upstream),
            known_as=login,
            proxy=self.proxy,
            front_tls=self._front_tls.facts if self._front_tls is not None else None,
            back_tls=self._back_tls.facts if self._back_tls is not None else None,
        )

    def _record(self, machine: Session, reason: CloseReason) -> None:
        write_record(
            self.block,
            self.number,
            self.listen,
            self.client_ip,
            self.client_port,
            machine.login,
            machine.auth_session,
            self._upstream,
            self.course.started_at,
            self._keep(machine.login),
            reason,
            fault=self.course.fault,
        )


_EXECUTE: Final[dict[type[Command], Callable[[Driver, Any], None]]] = {
    SendFront: Driver._send_front,
    SecureFront: FrontTlsLeg._secure_front,
    SendBack: SecuredBackLeg._send_back,
    AskAuth: Driver._ask_auth,
    ConnectBack: SecuredBackLeg._connect_back,
    SecureBack: SecuredBackLeg._secure_back,
    SetTimer: Driver._set_timer,
    CancelTimer: Driver._cancel_timer,
    Relay: Driver._relay,
    Close: Driver._close,
    Note: Driver._note,
}
