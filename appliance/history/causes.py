"""Why sessions end, in the words of somebody at a help desk: what it means, and what to do."""

from typing import Final

from proxycore.contract.reasons import EXPLANATIONS, CloseReason
from proxycore.contract.reasons import title as title

_SCAN: Final = "Common on the open internet. Nothing to do, unless it is one of your own programs."
_NETWORK: Final = "Nothing to do for one; for many, look at the network between client and proxy."
_CLIENT: Final = "The user's mail program has to be looked at: it speaks the protocol wrongly."
_TLS: Final = (
    "See below what was wrong. Often an old mail program, or one that does not know the authority"
    " of our certificate; else compare ssl_protocols and ssl_ciphers of the server block."
)
_AUTH: Final = (
    "Concerns everybody who logs in, not this user alone: look at the auth service and at its"
    " address in the server block."
)
_BACKEND: Final = (
    "Concerns everybody on that mail server: look whether it runs and can be reached from the node."
)
_PROOF: Final = (
    "Look at the certificate of the mail server and at the name it has to prove, on the page of"
    " the mail host. No password was sent to it."
)
_LIMIT: Final = "Look who else comes from this address; the limits are in the server block."

ADVICE: Final[dict[CloseReason, str]] = {
    CloseReason.CLIENT_CLOSED: (
        "After failed logins the user gave up: see them below. Without any, it was a probe or a"
        " scanner, or a mail program that wanted to know whether we are there."
    ),
    CloseReason.CLIENT_QUIT: "As above: after failed logins the user gave up, else it was a probe.",
    CloseReason.CLIENT_ERROR: _NETWORK,
    CloseReason.CLIENT_TIMEOUT: (
        "A probe, or a mail program that waits for its user to type a password. Else look at the"
        " network: what the client sent may not have arrived."
    ),
    CloseReason.EARLY_TALKER: "That is what programs that send spam do. A mail program waits.",
    CloseReason.LINE_TOO_LONG: _CLIENT,
    CloseReason.UNSAFE_LITERAL: _CLIENT,
    CloseReason.FOREIGN_PROTOCOL: _SCAN,
    CloseReason.TOO_MANY_ERRORS: _SCAN,
    CloseReason.TOO_MANY_COMMANDS: _CLIENT,
    CloseReason.BAD_PROXY_HEADER: (
        "The load balancer in front does not send a PROXY header, or somebody connects past it."
    ),
    CloseReason.TLS_FAILED: _TLS,
    CloseReason.TLS_TIMEOUT: _NETWORK,
    CloseReason.CLIENT_CERTIFICATE: (
        "The user needs a certificate that is valid and of the authority that the server block"
        " names."
    ),
    CloseReason.STARTTLS_INJECTION: (
        "An attack on a connection in clear, or a badly broken program. Look at the network that"
        " it came through."
    ),
    CloseReason.TOO_MANY_SESSIONS: _LIMIT,
    CloseReason.LOGIN_FAILED: (
        "Wrong password, no such account, or one that may not log in from there or by this"
        " protocol: ask where the user would go now. Else set a new password."
    ),
    CloseReason.TOO_MANY_LOGINS: (
        "A mail program with an old password tries again and again, or somebody guesses. Look at"
        " the failed logins from this address and of this user; the limits are in the server block."
    ),
    CloseReason.AUTH_UNAVAILABLE: _AUTH,
    CloseReason.AUTH_TIMEOUT: _AUTH,
    CloseReason.AUTH_INVALID: _AUTH,
    CloseReason.NO_PASSWORD: (
        "The auth service lets the user in without the password that the mail server wants: it"
        " has to answer one (Auth-Pass), or the client has to log in with a password."
    ),
    CloseReason.BACKEND_REFUSED: _BACKEND,
    CloseReason.BACKEND_TIMEOUT: _BACKEND,
    CloseReason.BACKEND_CLOSED: _BACKEND,
    CloseReason.BACKEND_INVALID: (
        "Compare protocol and port of the mail host: something else may be listening there."
    ),
    CloseReason.BACKEND_REJECTED: (
        "We took the password, the mail server did not. Its own log says why: the account is"
        " missing or locked there, the login is written differently, or the password is another."
    ),
    CloseReason.BACKEND_NO_STARTTLS: (
        "Turn STARTTLS on at the mail server, or choose another TLS on the page of the mail host."
    ),
    CloseReason.BACKEND_TLS_FAILED: _PROOF,
    CloseReason.BACKEND_UNTRUSTED: _PROOF,
    CloseReason.DONE: "",
    CloseReason.IDLE_TIMEOUT: (
        "Usual for clients that went away without a word. A client that waits for mail and is cut"
        " off needs a longer proxy_timeout."
    ),
    CloseReason.RELAY_ERROR: _NETWORK,
    CloseReason.KICKED: "Under Disconnects stands who did it.",
    CloseReason.SHUTDOWN: "Mail programs connect again by themselves.",
    CloseReason.SHUTDOWN_TIMEOUT: "Mail programs connect again by themselves.",
    CloseReason.WORKER_LOST: (
        "Mail programs connect again by themselves. Look at the error log of the node."
    ),
    CloseReason.INTERNAL: "Please report it, with the lines of the node's error log.",
}

_GOOD: Final = frozenset({CloseReason.DONE, CloseReason.IDLE_TIMEOUT})
_NEUTRAL: Final = frozenset(
    {
        *(CloseReason.KICKED, CloseReason.SHUTDOWN, CloseReason.SHUTDOWN_TIMEOUT),
        *(CloseReason.CLIENT_CLOSED, CloseReason.CLIENT_QUIT, CloseReason.CLIENT_TIMEOUT),
    }
)


def tone(reason: str) -> str:
    """Give the colour of a reason."""
    known = _known(reason)
    if known in _GOOD:
        return "success"
    return "info" if known in _NEUTRAL else "danger"


def meaning(reason: str) -> str:
    """Give the sentence of the contract, as text; of a reason of a later version there is none."""
    known = _known(reason)
    return EXPLANATIONS[known].replace("`", "") if known is not None else ""


def advice(reason: str) -> str:
    """Say what to do."""
    known = _known(reason)
    return ADVICE.get(known, "") if known is not None else ""


def _known(reason: str) -> CloseReason | None:
    try:
        return CloseReason(reason)
    except ValueError:
        return None
