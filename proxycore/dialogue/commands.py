"""What a session wants done. The driver executes commands in order and reports back by events."""

from proxycore.contract.authhttp import AuthRequest
from proxycore.contract.reasons import CloseReason


class Command:
    """An imperative. Plain slotted classes, as events are."""

    __slots__: tuple[str, ...] = ()

    def __repr__(self) -> str:
        wishes = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({wishes})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]


class SendFront(Command):
    """Send octets to the client, after everything sent before."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class SendBack(Command):
    """Send octets to the mail server, after everything sent before."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __repr__(self) -> str:
        # a login command holds the password
        return f"SendBack({len(self.data)} octets)"


class AskAuth(Command):
    """Have the submission decided; exactly one ``AuthAnswered`` follows unless cancelled."""

    __slots__ = ("request",)

    def __init__(self, request: AuthRequest) -> None:
        self.request = request


class SecureFront(Command):
    """Once everything sent before has left in clear, be the server of a TLS handshake.

    ``FrontSecured`` follows, or ``FrontClosed``. The machine has made sure that it holds nothing
    the client sent behind its STARTTLS.
    """

    __slots__: tuple[str, ...] = ()


class ConnectBack(Command):
    """Connect to the mail server; ``BackConnected`` or ``BackFailed`` follows."""

    __slots__ = ("address", "port", "proxy_ssl", "ssl_name")

    def __init__(
        self, address: str, port: int, proxy_ssl: str = "none", ssl_name: str = ""
    ) -> None:
        self.address = address
        self.port = port
        self.proxy_ssl = proxy_ssl
        """``implicit``: TLS before anything is said; ``none`` and ``starttls`` begin in clear."""
        self.ssl_name = ssl_name
        """Name the certificate must have, if not the configured one or the mail server's own."""


class SecureBack(Command):
    """Begin TLS on the connection to the mail server (STARTTLS was agreed to).

    ``BackSecured`` or ``BackFailed`` follows. The machine has made sure that it holds nothing the
    mail server sent behind its answer.
    """

    __slots__: tuple[str, ...] = ()


class SetTimer(Command):
    """(Re)arm the session's one timer. No phase of a session needs two at once."""

    __slots__ = ("after_ms",)

    def __init__(self, after_ms: int) -> None:
        self.after_ms = after_ms


class CancelTimer(Command):
    """Disarm the timer."""

    __slots__: tuple[str, ...] = ()


class Relay(Command):
    """The dialogue is over: copy octets both ways from now on, ``leftover`` octets first.

    to_front: octets of the mail server not yet sent to the client (its login answer).
    to_back: octets of the client behind its login command, already read.
    The machine gets no event after this but is asked nothing more either.
    """

    __slots__ = ("to_back", "to_front")

    def __init__(self, to_front: bytes, to_back: bytes) -> None:
        self.to_front = to_front
        self.to_back = to_back

    def __repr__(self) -> str:
        return f"Relay({len(self.to_front)} octets to front, {len(self.to_back)} to back)"


class Close(Command):
    """Flush what was sent to the client, then close both legs. Always the last command.

    A pending ``AskAuth`` or ``ConnectBack`` is given up; the machine gets no further event.
    """

    __slots__ = ("reason",)

    def __init__(self, reason: CloseReason) -> None:
        self.reason = reason


class Note(Command):
    """Write a log line (level as in error_log), in nginx's words where it has them.

    ``message`` holds nothing secret. The driver adds who and where, and escapes what a peer sent.
    """

    __slots__ = ("action", "level", "message")

    def __init__(self, level: str, message: str, action: str = "") -> None:
        self.level = level
        self.message = message
        self.action = action
        """What was being done; empty: what the session's state says."""
