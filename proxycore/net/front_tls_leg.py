"""The client's connection where it is, or becomes, TLS: handshake, then plaintext for the machine.

The machine hears of a handshake only that it is done. Until then nothing of the client's is handed
on; what came behind it in one segment is handed on after it. What TLS has to say is sent after
every read, the alert of a failed handshake too.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from proxycore.contract.authhttp import TlsFacts
from proxycore.contract.reasons import CloseReason
from proxycore.contract.session import Standing, WaitingSession
from proxycore.dialogue.commands import SecureFront
from proxycore.dialogue.events import (
    Accepted,
    FrontBytes,
    FrontClosed,
    FrontDistrusted,
    FrontSecured,
)
from proxycore.dialogue.session import Session
from proxycore.dialogue.states import State
from proxycore.net.front_leg import FRONT_GONE, FrontLeg
from proxycore.net.log import ACTIONS, shown
from proxycore.net.reactor import READ
from proxycore.net.timers import Timer

if TYPE_CHECKING:
    from proxycore.net.tls.endpoint import Handshake

ACCEPTED: Final = Accepted()

_STANDINGS: Final = {
    State.NEW: Standing.HANDSHAKE,
    State.DELAYING: Standing.DELAYING,
    State.IDENTIFYING: Standing.IDENTIFYING,
    State.SECURING: Standing.HANDSHAKE,
    State.AUTHORISING: Standing.AUTHORISING,
    State.REFUSING: Standing.REFUSING,
    State.RETRYING: Standing.RETRYING,
    State.CONNECTING: Standing.CONNECTING,
    State.LOGGING_IN: Standing.LOGGING_IN,
}

LONGEST_HELLO_BYTES: Final = 16_384
"""Most octets kept of a handshake that waits for its turn; what is longer fails at once."""


class FrontTlsLeg(FrontLeg):
    """Opens what a client sends sealed."""

    __slots__ = ("_hello", "_turn")

    client_host: str

    def _begin_tls(self) -> None:
        library = self.door.library
        assert library is not None, "TLS on a socket of blocks that have none"
        self._front_tls = library.endpoint()
        self._hello: bytes | None = b""
        """The beginning of a handshake that waits for its turn; None: it has had it."""
        self._turn: Timer | None = None

    def _secure_front(self, _command: SecureFront) -> None:
        self._begin_tls()

    def _on_sealed(self, data: bytes) -> None:
        try:
            self._open(data)
        except Exception as bug:  # noqa: BLE001  (our bug must end this session only)
            self._fail(bug)

    def _open(self, data: bytes) -> None:
        tls = self._front_tls
        assert tls is not None
        if self._hello is not None and data:
            if not self._is_its_turn(data):
                return
            data, self._hello = self._hello + data, None
        was_shaking = tls.facts is None
        if not data:
            if was_shaking:
                self._log_tls("info", "peer closed connection in SSL handshake")
            self.deliver(FRONT_GONE)
            return
        plain = tls.feed(data)
        self._front_out += tls.take()
        if was_shaking and tls.facts is not None:
            self._secured()
        if plain:
            self.deliver(FrontBytes(plain))
        failure = tls.failure
        if failure is not None:
            self._log_tls("error" if failure.is_ours else "info", failure.detail)
            self.course.fault = failure.detail
            reason = CloseReason.TLS_FAILED if tls.facts is None else CloseReason.CLIENT_ERROR
            self.deliver(FrontClosed(reason))
        elif tls.ended:
            self.deliver(FRONT_GONE)
        elif self._front_out:
            self._push_front()

    def _is_its_turn(self, data: bytes) -> bool:
        """Ask for a handshake's turn with its first octets; keep what comes before it is there."""
        assert self._hello is not None
        if self._turn is None:
            context = self.context
            wait_s = context.gate.handshake_wait_s(self.client_ip, context.reactor.now)
            if not wait_s:
                return True
            self._turn = context.reactor.call_later(wait_s, self._take_turn)
        if len(self._hello) > LONGEST_HELLO_BYTES:
            # that is no ClientHello, and to say so is cheap
            return True
        self._hello += data
        return False

    def _take_turn(self) -> None:
        self._turn = None
        data, self._hello = self._hello, None
        if data and self._machine is not None:
            self._on_sealed(data)

    def _leave_turn(self) -> None:
        """The session is over."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _push_front(self) -> None:
        """Send what nobody but TLS said."""
        if self._front_mask == READ:
            self._flush_front()
        if self._front_out and self._front >= 0:
            self._remask_front()

    def _secured(self) -> None:
        """The handshake is done: go on as the block that the client asked for."""
        tls, library, machine = self._front_tls, self.door.library, self._machine
        assert tls is not None
        assert library is not None
        assert machine is not None
        facts = tls.facts
        assert facts is not None
        self.course.secured_at = self.context.reactor.now
        block = library.names.choose(tls.server_name)
        self.context.ledger.move(self.block.names, block.names)
        self.block = block
        refusal = tls.refusal
        self.tls = _told(facts, whole=block.server.auth_http.pass_client_cert)
        # the relay keeps the endpoint for as long as the session lives
        tls.facts = facts._replace(peer=None)
        profile = block.profile.secured
        if refusal:
            self.course.fault = complaint = _complaint(facts)
            self.deliver(FrontDistrusted(refusal, complaint))
        elif machine.state is State.NEW:
            self._machine = Session(profile, self)
            self.deliver(ACCEPTED)
        else:
            self.deliver(FrontSecured(profile))

    # --- for who looks at sessions before login ---

    @property
    def address(self) -> str:
        """Address that the session counts under."""
        return self.client_ip

    def standing(self) -> Standing:
        """Tell how far the session is."""
        if self._machine is None:
            return Standing.CLOSING
        found = _STANDINGS.get(self._machine.state, Standing.CLOSING)
        if found is Standing.HANDSHAKE and self._turn is not None:
            return Standing.QUEUED
        return found

    def describe(self) -> WaitingSession:
        """Describe the session for people."""
        server, machine = self.block.server, self._machine
        return WaitingSession(
            session=self.session,
            server=server.name,
            protocol=server.protocol.value,
            client=self.client_ip,
            client_port=self.client_port,
            listen=self.listen,
            standing=self.standing(),
            age_s=self.context.reactor.now - self.course.began_at,
            user=shown(machine.login) if machine is not None else "",
            backend=self._upstream,
            tls=self.tls.protocol if self.tls is not None else "",
        )

    def _fail(self, bug: Exception) -> None:
        raise NotImplementedError

    def _log_tls(self, level: str, message: str) -> None:
        if self._machine is not None:
            state = self._machine.state
            self._log(level, message, ACTIONS[state])


def _told(facts: "Handshake", *, whole: bool) -> TlsFacts:
    """Give what an auth service is told; ``whole``: with the client's certificate itself."""
    told = TlsFacts(protocol=facts.protocol, cipher=facts.cipher, verify=facts.verify)
    peer = facts.peer
    if peer is None:
        return told
    return replace(
        told,
        subject=peer.subject,
        issuer=peer.issuer,
        serial=peer.serial,
        fingerprint=peer.fingerprint,
        certificate=peer.pem if whole else "",
    )


def _complaint(facts: "Handshake") -> str:
    if not facts.verify_code:
        return "client sent no required SSL certificate"
    why = facts.verify.removeprefix("FAILED:")
    return f"client SSL certificate verify error: ({facts.verify_code}:{why})"
