"""A session before login: feeds the machine with events and executes its commands.

The only interpreter of commands, and the only owner of both sockets and the timer until the relay
takes over. Output is written at once; the kernel's refusal to take it is what makes the reactor
wait for room, and then the client is not read either (dialogues §1.5).
"""

import errno
import os
from collections.abc import Callable
from functools import lru_cache
from time import time
from typing import Any, ClassVar, Final, cast

from proxycore.contract.authhttp import Verdict
from proxycore.contract.reasons import CloseReason
from proxycore.dialogue.commands import (
    AskAuth,
    CancelTimer,
    Close,
    Command,
    ConnectBack,
    Note,
    Relay,
    SendBack,
    SendFront,
    SetTimer,
)
from proxycore.dialogue.events import (
    Accepted,
    AuthAnswered,
    BackBytes,
    BackClosed,
    BackConnected,
    BackFailed,
    Event,
    FrontBytes,
    FrontClosed,
    Stop,
    TimerFired,
)
from proxycore.dialogue.profile import Facts
from proxycore.dialogue.session import Session
from proxycore.dialogue.states import State
from proxycore.net import relay
from proxycore.net.auth_desk import Asking
from proxycore.net.context import Block
from proxycore.net.log import ACTIONS, INFO, LEVELS, line, whereabouts
from proxycore.net.reactor import BROKEN, READ, WRITE
from proxycore.net.sockets import (
    READ_BYTES,
    address_of,
    described,
    local_address,
    shown_address,
    start_connect,
)
from proxycore.net.timers import Timer

FLUSH_S: Final = 10.0
"""How long a client may take to accept the last reply before it is closed without it."""

_MOST_UNREAD_BYTES: Final = 262_144
"""Read away before a close that cuts a talking client off, so that the last reply arrives:
closing with unread octets makes the kernel send RST, which destroys what is on its way."""

_TALKING: Final = frozenset(
    {CloseReason.LINE_TOO_LONG, CloseReason.TOO_MANY_ERRORS, CloseReason.EARLY_TALKER}
)

_shown_upstream = lru_cache(maxsize=1024)(shown_address)
"""Remembered, because thousands of sessions are of the same few mail servers."""

_TIMED_OUT: Final = frozenset({errno.ETIMEDOUT})


class Driver:
    """One accepted connection until it is relayed or closed."""

    __slots__ = (
        "_asking",
        "_back",
        "_back_out",
        "_connected",
        "_following",
        "_front",
        "_front_mask",
        "_front_out",
        "_machine",
        "_timer",
        "_upstream",
        "_was",
        "block",
        "client_ip",
        "client_port",
        "listen",
        "number",
        "started_at",
    )

    def __init__(self, block: Block, listen: str, front: int, client: tuple[str, int]) -> None:
        self.block = block
        self.listen = listen
        self.client_ip, self.client_port = client
        self.number = block.context.next_number()
        self.started_at = time()
        self._front = front
        self._front_mask = READ
        self._front_out = b""
        self._back = -1
        self._back_out = b""
        self._upstream = ""
        self._connected = False
        self._timer: Timer | None = None
        self._asking: Asking | None = None
        self._following: Event | None = None
        self._was = State.NEW
        self._machine: Session | None = Session(block.profile, cast(Facts, self))

    # --- facts the machine may ask for ---

    @property
    def client_host(self) -> str:
        """Confirmed reverse name of the client; without a resolver none is (dialogues §4.1)."""
        return "[TEMPUNAVAIL]" if self.client_ip == "unix:" else "[UNAVAILABLE]"

    @property
    def local_ip(self) -> str:
        """Our own address of the client's connection."""
        return local_address(self._front)[0]

    @property
    def local_port(self) -> int:
        """Our own port of the client's connection."""
        return local_address(self._front)[1]

    # --- events in, commands out ---

    def start(self) -> None:
        """Begin the dialogue."""
        context = self.block.context
        context.reactor.watch(self._front, READ, self._on_front)
        context.drivers[self.number] = self
        context.ledger.open_count += 1
        context.ledger.counts[self.block.names.accepted] += 1
        if context.log.threshold >= INFO:
            client = shown_address(self.client_ip, self.client_port)
            text = f"client {client} connected to {self.listen}"
            context.log.write("info", line(self.number, text))
        self.deliver(Accepted())

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
        self.block.context.report_bug(bug)
        if self._machine is not None or self._front >= 0:
            self._give_up(CloseReason.INTERNAL)

    # --- the client ---

    def _on_front(self, fd: int, events: int) -> None:
        # a readable client whom we want to hear is the rule
        if (events != READ or self._front_mask != READ) and not self._prepare_read(events):
            return
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.deliver(FrontClosed(CloseReason.CLIENT_ERROR))
            return
        self.deliver(FrontBytes(data) if data else FrontClosed())

    def _prepare_read(self, events: int) -> bool:
        """Handle everything but input; tell whether the client is to be read."""
        if events & WRITE:
            self._front_room()
        if self._machine is None:
            if events & BROKEN:
                self._finish()
            return False
        if events & BROKEN and not self._front_mask & READ:
            self.deliver(FrontClosed(CloseReason.CLIENT_ERROR))
            return False
        return bool(self._front_mask & READ and events & (READ | BROKEN))

    def _front_room(self) -> None:
        """Write what the kernel did not take before."""
        self._flush_front()
        if self._front_out or self._front < 0:
            return
        if self._machine is None:
            self._finish()
        else:
            self._remask_front()

    def _flush_front(self) -> None:
        try:
            sent = os.write(self._front, self._front_out)
        except BlockingIOError:
            return
        except OSError:
            self._front_out = b""
            if self._machine is None:
                self._finish()
            else:
                self._following = None
                self.deliver(FrontClosed(CloseReason.CLIENT_ERROR))
            return
        self._front_out = self._front_out[sent:]

    def _remask_front(self) -> None:
        """Read a client only while it takes our replies and the machine wants more."""
        if self._front_out:
            mask = WRITE
        else:
            mask = READ if self._machine is not None and self._machine.wants_front else 0
        if mask != self._front_mask:
            self.block.context.reactor.change(self._front, mask)
            self._front_mask = mask

    # --- the mail server ---

    def _on_back(self, fd: int, events: int) -> None:
        if events & WRITE:
            self._flush_back()
            if not self._back_out and self._back >= 0:
                self.block.context.reactor.change(fd, READ)
            if events == WRITE or self._back < 0:
                return
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as problem:
            self._back_broke(problem)
            return
        if not self._connected:
            self._connected = True
            self.deliver(BackConnected())
        if self._back >= 0:
            self.deliver(BackBytes(data) if data else BackClosed())

    def _back_broke(self, problem: OSError) -> None:
        if self._connected:
            self.deliver(BackClosed())
            return
        self._note_connect_failure(problem)
        self.deliver(BackFailed(_failure_of(problem)))

    def _note_connect_failure(self, problem: OSError) -> None:
        self._was = State.CONNECTING
        self._log("error", f"connect() failed ({described(problem)})", ACTIONS[self._was])

    def _flush_back(self) -> None:
        try:
            sent = os.write(self._back, self._back_out)
        except BlockingIOError:
            sent = 0
        except OSError:
            # why it broke, or its last words, will be read
            self._back_out = b""
            return
        self._back_out = self._back_out[sent:]
        if self._back_out:
            self.block.context.reactor.change(self._back, READ | WRITE)

    # --- commands ---

    def _send_front(self, command: SendFront) -> None:
        self._front_out += command.data

    def _send_back(self, command: SendBack) -> None:
        self._back_out += command.data

    def _ask_auth(self, command: AskAuth) -> None:
        answer = self.block.desk.ask(command.request, self._answered)
        if isinstance(answer, Asking):
            self._asking = answer
        else:
            self._following = AuthAnswered(answer)

    def _answered(self, verdict: Verdict) -> None:
        self._asking = None
        self.deliver(AuthAnswered(verdict))

    def _connect_back(self, command: ConnectBack) -> None:
        self._upstream = _shown_upstream(command.address, command.port)
        try:
            self._back = start_connect(address_of(command.address, command.port))
        except OSError as problem:
            self._note_connect_failure(problem)
            self._following = BackFailed(_failure_of(problem))
            return
        # The mail server speaks first, so its greeting tells that we are connected.
        self.block.context.reactor.watch(self._back, READ, self._on_back)

    def _set_timer(self, command: SetTimer) -> None:
        if self._timer is not None:
            self._timer.cancel()
        reactor = self.block.context.reactor
        self._timer = reactor.call_later(command.after_ms / 1000, self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        self.deliver(TimerFired())

    def _cancel_timer(self, _command: CancelTimer | None = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _note(self, command: Note) -> None:
        if LEVELS[command.level] <= self.block.context.log.threshold:
            relaying = self._machine is not None and self._machine.state is State.RELAYING
            self._log(command.level, command.message, "" if relaying else ACTIONS[self._was])

    def _log(self, level: str, message: str, action: str) -> None:
        log = self.block.context.log
        if LEVELS[level] <= log.threshold:
            login = self._machine.login if self._machine is not None else b""
            where = whereabouts(self.client_ip, self.listen, login, self._upstream)
            log.write(level, line(self.number, message, where, action))

    def _relay(self, command: Relay) -> None:
        machine = self._machine
        assert machine is not None
        self._cancel_timer()
        context = self.block.context
        del context.drivers[self.number]
        context.ledger.counts[self.block.names.logins] += 1
        session = relay.Relay(
            self.block,
            self.number,
            front=self._front,
            back=self._back,
            front_mask=self._front_mask,
            back_mask=READ | WRITE if self._back_out else READ,
            client=(self.client_ip, self.client_port),
            listen=self.listen,
            login=machine.login,
            upstream=self._upstream,
            started_at=self.started_at,
        )
        to_front = self._front_out + command.to_front
        to_back = self._back_out + command.to_back
        self._front = self._back = -1
        self._front_out = self._back_out = b""
        # facts and machine refer to each other; without this the collector would have to come
        self._machine = None
        session.start(to_front, to_back)

    def _close(self, command: Close) -> None:
        reason = command.reason
        if reason in _TALKING:
            self._read_away()
        self._give_up(reason)

    def _read_away(self) -> None:
        left = _MOST_UNREAD_BYTES
        try:
            while left > 0 and (data := os.read(self._front, READ_BYTES)):
                left -= len(data)
        except OSError:
            pass

    def _give_up(self, reason: CloseReason) -> None:
        """End the dialogue; the client's connection stays until it has our last reply."""
        context = self.block.context
        self._cancel_timer()
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        if self._back >= 0:
            context.reactor.close(self._back)
            self._back = -1
        if self._machine is not None:
            self._machine = None
            context.ledger.closed(self.block.names, reason)
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

    def _finish(self) -> None:
        """Close the client's connection; nothing refers to this session any more."""
        if self._front < 0:
            return
        context = self.block.context
        self._cancel_timer()
        context.reactor.close(self._front)
        self._front = -1
        self._front_out = b""
        del context.drivers[self.number]
        context.session_gone()

    def stop(self, reason: CloseReason) -> None:
        """End the session now; one that only waits for its last reply to be taken is cut off."""
        if self._machine is None:
            self._finish()
        else:
            self.deliver(Stop(reason))

    EXECUTE: ClassVar[dict[type[Command], Callable[["Driver", Any], None]]] = {
        SendFront: _send_front,
        SendBack: _send_back,
        AskAuth: _ask_auth,
        ConnectBack: _connect_back,
        SetTimer: _set_timer,
        CancelTimer: _cancel_timer,
        Relay: _relay,
        Close: _close,
        Note: _note,
    }


def _failure_of(problem: OSError) -> CloseReason:
    if problem.errno in _TIMED_OUT:
        return CloseReason.BACKEND_TIMEOUT
    return CloseReason.BACKEND_REFUSED


_EXECUTE: Final = Driver.EXECUTE
