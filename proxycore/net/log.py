"""What the worker writes for people: nginx's log line, without time, level and pid.

A line is only composed when somebody wants it: compare ``LEVELS[level] <= log.threshold`` first.
"""

import re
from typing import Final, Protocol

from proxycore.dialogue.states import State

LEVELS: Final[dict[str, int]] = {
    "emerg": 1,
    "alert": 2,
    "crit": 3,
    "error": 4,
    "warn": 5,
    "notice": 6,
    "info": 7,
    "debug": 8,
}
"""Severity by name, nginx's numbers: the smaller the graver."""

USING_STARTTLS: Final = " using starttls"
"""What follows a client's address from STARTTLS on (nginx)."""

ERROR: Final = LEVELS["error"]
INFO: Final = LEVELS["info"]
DEBUG: Final = LEVELS["debug"]

ACTIONS: Final[dict[State, str]] = {
    State.NEW: "SSL handshaking",
    State.DELAYING: "in delay pipelining state",
    State.IDENTIFYING: "in auth state",
    State.SECURING: "in starttls state",
    State.AUTHORISING: "in http auth state",
    State.REFUSING: "in http auth state",
    State.RETRYING: "in http auth state",
    State.CONNECTING: "connecting to upstream",
    State.LOGGING_IN: "reading response from upstream",
}
"""nginx's words for where a session stands (dialogues §9)."""

# What could end a line, move a cursor or turn the direction of writing.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class Log(Protocol):
    """Where lines go. Adds time, level and process id."""

    threshold: int
    """Number of the least grave level wanted."""

    def write(self, level: str, message: str) -> None:
        """Write one line. ``message`` has no line break."""


def escaped(text: str) -> str:
    """Make a text safe for one log line: controls become ``\\xNN`` or ``\\uNNNN``."""
    if text.isascii() and text.isprintable():
        return text
    return _UNPRINTABLE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}"


def shown(login: bytes) -> str:
    """Give a login as people see it: octets that are no UTF-8, and controls, as ``\\xNN``."""
    return escaped(login.decode("utf-8", "backslashreplace"))


def line(number: int, message: str, where: str = "", action: str = "") -> str:
    """Compose ``*number message while ACTION, WHERE``."""
    text = f"*{number} {escaped(message)}"
    if action:
        text = f"{text} while {action}"
    return f"{text}, {where}" if where else text


def whereabouts(
    client: str, server: str, login: bytes, upstream: str, auth_session: str = ""
) -> str:
    """Compose ``client: …, server: …, login: "…", upstream: …``; the last two when known.

    auth_session: the auth service's name of the session, which goes behind nginx's own words.
    """
    text = f"client: {client}, server: {server}"
    if login:
        text = f'{text}, login: "{shown(login)}"'
    if upstream:
        text = f"{text}, upstream: {upstream}"
    return f'{text}, session: "{auth_session}"' if auth_session else text
