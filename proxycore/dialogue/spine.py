"""What all phases of a session share: its memory, its moves, its end."""

from collections.abc import Callable, Sequence
from typing import Final

from proxycore.contract.authhttp import AuthRequest
from proxycore.contract.protocol import Protocol
from proxycore.contract.reasons import CloseReason
from proxycore.dialogue.commands import CancelTimer, Close, Command, Note, SendFront
from proxycore.dialogue.credential import Credential
from proxycore.dialogue.front_imap import ImapFront
from proxycore.dialogue.front_pop3 import Pop3Front
from proxycore.dialogue.front_smtp import SmtpFront
from proxycore.dialogue.legs import Back, Front
from proxycore.dialogue.profile import Facts, Profile
from proxycore.dialogue.states import MOVES, State
from proxycore.wire.inbox import Inbox

_FRONTS: Final[dict[Protocol, Callable[[Profile, Facts], Front]]] = {
    Protocol.IMAP: ImapFront,
    Protocol.POP3: Pop3Front,
    Protocol.SMTP: SmtpFront,
}

NOTHING: Final[tuple[Command, ...]] = ()
CANCEL_TIMER: Final = CancelTimer()
_MAY_FOLLOW: Final = tuple(MOVES[state] for state in State)


class Spine:
    """One session, as far as every phase of it needs to know."""

    __slots__ = (
        "_attempts",
        "_back",
        "_commands",
        "_credential",
        "_errors",
        "_facts",
        "_front",
        "_inbox",
        "_profile",
        "_refusal",
        "_request",
        "_starts_tls",
        "_waited_s",
        "auth_session",
        "login",
        "state",
        "wants_front",
    )

    def __init__(self, profile: Profile, facts: Facts) -> None:
        self._profile = profile
        self._facts = facts
        self._inbox = Inbox()
        self._front = _FRONTS[profile.protocol](profile, facts)
        self._back: Back | None = None
        self._request: AuthRequest | None = None
        """The submission being decided; the only place where it is."""
        self._credential: Credential | None = None
        """What to log in with at the mail server, once that is decided."""
        self._starts_tls = False
        """The mail server is to be asked for STARTTLS before it sees the credential."""
        self._refusal = b""
        """The failure reply held back in REFUSING."""
        self._commands = 0
        self._errors = 0
        self._attempts = 0
        self._waited_s = 0
        self.state = State.NEW
        self.login = b""
        """The login as to be shown: the client's, or what the auth service made of it."""
        self.auth_session = ""
        """The auth service's name of the session; empty when it gave none."""
        self.wants_front = True
        """False while as much is held back as may be: the client is not to be read."""

    def _enter(self, state: State) -> None:
        if state not in _MAY_FOLLOW[self.state]:
            raise AssertionError(f"undeclared move: {self.state.name} to {state.name}")
        self.state = state

    def _secured(self, profile: Profile) -> None:
        """Forget what was said before TLS; what was counted stays counted (RFC 3207 §4.2)."""
        self._profile = profile
        self._front = self._front.secured(profile)
        self.login, self.auth_session = b"", ""

    def _close(
        self, reason: CloseReason, reply: bytes = b"", note: Note | None = None
    ) -> Sequence[Command]:
        if self.state is State.CLOSED:
            return NOTHING
        self._enter(State.CLOSED)
        self._credential = self._request = None
        commands: list[Command] = [note] if note is not None else []
        if reply:
            commands.append(SendFront(reply))
        commands.append(Close(reason))
        return commands

    def _update_wants_front(self) -> None:
        self.wants_front = self._inbox.has_room(self._profile.client_buffer_bytes)
