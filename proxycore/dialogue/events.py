"""What can happen to a session. Each is a fact the driver reports; none can make it raise."""

from proxycore.contract.authhttp import Verdict
from proxycore.contract.reasons import CloseReason
from proxycore.dialogue.profile import Profile


class Event:
    """A fact. Plain slotted classes: a frozen dataclass costs a microsecond each to build."""

    __slots__: tuple[str, ...] = ()

    def __repr__(self) -> str:
        facts = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({facts})"


class Accepted(Event):
    """The connection is ready for the dialogue (PROXY header and TLS, if any, are done)."""

    __slots__: tuple[str, ...] = ()


class FrontBytes(Event):
    """The client sent these octets."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __repr__(self) -> str:
        # there may be a password in it
        return f"FrontBytes({len(self.data)} octets)"


class FrontSecured(Event):
    """The handshake after ``SecureFront`` is done; what follows was sent inside TLS.

    profile: of the block that the client asked for by name, as it is inside TLS.
    """

    __slots__ = ("profile",)

    def __init__(self, profile: Profile) -> None:
        self.profile = profile

    def __repr__(self) -> str:
        return "FrontSecured()"


class FrontDistrusted(Event):
    """The handshake is done, but the client's certificate will not do (dialogues §5).

    text: what the client is told; message: for the log.
    """

    __slots__ = ("message", "text")

    def __init__(self, text: str, message: str) -> None:
        self.text = text
        self.message = message


class FrontClosed(Event):
    """The client closed its side, or the connection broke (``reason`` tells)."""

    __slots__ = ("reason",)

    def __init__(self, reason: CloseReason = CloseReason.CLIENT_CLOSED) -> None:
        self.reason = reason


class AuthAnswered(Event):
    """The answer to the last ``AskAuth``."""

    __slots__ = ("verdict",)

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict


class BackConnected(Event):
    """The mail server accepted the connection; with implicit TLS, the handshake is done, too."""

    __slots__: tuple[str, ...] = ()


class BackSecured(Event):
    """The handshake after ``SecureBack`` is done, and the mail server is the one meant."""

    __slots__: tuple[str, ...] = ()


class BackFailed(Event):
    """The mail server could not be connected to, or TLS with it failed, then or later."""

    __slots__ = ("reason",)

    def __init__(self, reason: CloseReason) -> None:
        self.reason = reason


class BackBytes(Event):
    """The mail server sent these octets."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class BackClosed(Event):
    """The mail server closed the connection, or it broke."""

    __slots__: tuple[str, ...] = ()


class TimerFired(Event):
    """The session's timer ran out (a session has one timer; see ``SetTimer``)."""

    __slots__: tuple[str, ...] = ()


class Stop(Event):
    """End now: the worker shuts down or an operator disconnects the session."""

    __slots__ = ("reason",)

    def __init__(self, reason: CloseReason) -> None:
        self.reason = reason
