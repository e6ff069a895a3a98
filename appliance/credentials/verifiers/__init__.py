"""Others who know whether a password is right, behind one small interface.

A new kind (LDAP, a token service) is a class with ``verify``, a row in ``_MAKERS`` and a
``VerifierKind``; nothing else has to know of it.
"""

from collections.abc import Callable
from typing import Final, Protocol

from appliance.credentials.verifiers.auth_http import AuthHttpVerifier
from appliance.credentials.verifiers.mail_host import MailHostVerifier
from appliance.credentials.verifiers.question import Answer, Question
from appliance.routing import models
from appliance.routing.choices import VerifierKind

__all__ = ["Answer", "Question", "Verifier", "make"]


class Verifier(Protocol):
    """Somebody who can be asked. Called in a thread that may wait; has no database."""

    def verify(self, question: Question) -> Answer:
        """Answer within the configured time. Raises nothing."""


_MAKERS: Final[dict[str, Callable[[models.Verifier], Verifier]]] = {
    VerifierKind.MAIL_HOST: MailHostVerifier,
    VerifierKind.AUTH_HTTP: AuthHttpVerifier,
}


def make(stored: models.Verifier) -> Verifier:
    """Give whom a stored verifier means."""
    return _MAKERS[stored.kind](stored)
