"""What a leg of the dialogue asks of the spine.

A front gives ``bytes`` (a reply; read on), one of the classes below, or None (it needs more
octets). A back gives ``bytes`` (a command to send), ``LoggedIn``, ``Secure``, ``Refused`` or None.
Legs decide what is said; timers, limits, states and reasons are the spine's.
"""

from typing import Final, final

from proxycore.contract.reasons import CloseReason
from proxycore.wire.foreign import is_http_request


@final
class Mistake:
    """The client's line was no command: reply, and count it towards ``max_errors``."""

    __slots__ = ("reply",)

    def __init__(self, reply: bytes) -> None:
        self.reply = reply


@final
class Noted:
    """A reply that is worth a log line (level info)."""

    __slots__ = ("message", "reply")

    def __init__(self, reply: bytes, message: str) -> None:
        self.reply = reply
        self.message = message


@final
class Farewell:
    """A reply that ends the session."""

    __slots__ = ("message", "reason", "reply")

    def __init__(self, reply: bytes, reason: CloseReason, message: str = "") -> None:
        self.reply = reply
        self.reason = reason
        self.message = message


@final
class Envelope:
    """What an SMTP client without credentials is judged by; both lines whole, as typed."""

    __slots__ = ("helo", "mail", "rcpt")

    def __init__(self, helo: bytes, mail: bytes, rcpt: bytes) -> None:
        self.helo = helo
        self.mail = mail
        self.rcpt = rcpt


@final
class Submission:
    """The client submitted credentials. ``method`` is an Auth-Method.

    It is the whole of them: nothing of an earlier attempt is kept anywhere to be mixed in.
    """

    __slots__ = ("envelope", "login", "method", "password", "salt")

    def __init__(
        self,
        method: str,
        login: bytes,
        password: bytes,
        salt: bytes = b"",
        envelope: Envelope | None = None,
    ) -> None:
        self.method = method
        self.login = login
        self.password = password
        self.salt = salt
        self.envelope = envelope


def mistaken(line: bytes, reply: bytes) -> Mistake | Farewell:
    """Give the step for a line that is no command of the protocol."""
    if is_http_request(line):
        return Farewell(reply, CloseReason.FOREIGN_PROTOCOL, "client sent an HTTP request")
    return Mistake(reply)


@final
class Upgrade:
    """The client wants TLS: ``reply``, unless it said more behind that, then ``refusal``."""

    __slots__ = ("refusal", "reply")

    def __init__(self, reply: bytes, refusal: bytes) -> None:
        self.reply = reply
        self.refusal = refusal


FrontStep = bytes | Submission | Mistake | Noted | Farewell | Upgrade | None


@final
class LoggedIn:
    """The mail server let us in; ``to_front`` is what the client gets to see of that."""

    __slots__ = ("to_front",)

    def __init__(self, to_front: bytes) -> None:
        self.to_front = to_front


@final
class Refused:
    """The mail server answered something that does not lead to a login."""

    __slots__ = ("answer", "message", "reason")

    def __init__(self, reason: CloseReason, answer: bytes, message: str = "") -> None:
        self.reason = reason
        self.answer = answer
        """The whole answer, line ends included, as ``proxy_pass_error_message`` shows it. Empty
        when there is nothing to show."""
        self.message = message
        """For the log, where the answer does not say what is wrong."""


@final
class Secure:
    """The mail server agreed to STARTTLS and said nothing behind that: TLS is to begin."""

    __slots__ = ()


SECURE: Final = Secure()

BackStep = bytes | LoggedIn | Secure | Refused | None
