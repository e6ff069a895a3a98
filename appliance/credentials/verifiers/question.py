"""What a verifier is asked, and what it may answer."""

from dataclasses import dataclass
from enum import Enum

from appliance.routing.models import MailHost
from proxycore.contract.authhttp import AuthRequest


class Answer(Enum):
    """What somebody says of a password."""

    RIGHT = "right"
    WRONG = "wrong"
    AWAY = "away"
    """He cannot be reached, or cannot say now: the client is asked to try again."""
    UNSAID = "unsaid"
    """Nobody has looked at it: the mail server that the login goes to has to."""


@dataclass(frozen=True, slots=True)
class Question:
    """One login with its password."""

    request: AuthRequest
    mail_host: MailHost
    """Where the login would go."""
    back_login: bytes | None = None
    """What that mail server knows the login as; None: the same."""

    def __repr__(self) -> str:
        return f"Question({self.request!r})"
