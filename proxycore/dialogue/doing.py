"""What a login at a mail server is doing, in nginx's words: the ``while …`` of log lines.

Asked for only when a line is to be written; a login that goes well pays nothing for it.
"""

from typing import Final

CONNECTING: Final = "connecting to upstream"
"""Until the mail server has greeted us, too."""

SENDING_LOGIN: Final = "sending LOGIN command to upstream"
SENDING_USER: Final = "sending user name to upstream"
SENDING_PASSWORD: Final = "sending password to upstream"  # noqa: S105  (an act, not a password)
SENDING_AUTH: Final = "sending AUTH to upstream"
SENDING_ID: Final = "sending ID to upstream"
SENDING_STARTTLS: Final = "sending STARTTLS to upstream"
"""These two are ours: nginx sends neither."""

_HELLO: Final = (b"EHLO", b"HELO")
_BY_VERB: Final = {
    b"USER": SENDING_USER,
    b"PASS": SENDING_PASSWORD,
    b"AUTH": SENDING_AUTH,
    b"EHLO": "sending HELO/EHLO to upstream",
    b"HELO": "sending HELO/EHLO to upstream",
    b"XCLIENT": "sending XCLIENT to upstream",
    b"MAIL": "sending MAIL FROM to upstream",
    b"RCPT": "sending RCPT TO to upstream",
}


def sending(command: bytes, before: bytes) -> str:
    """Say what is done by a command of POP3 or SMTP, and the one ``before`` it; empty: none."""
    verb = _verb(command)
    if verb in _HELLO and _verb(before) == b"XCLIENT":
        return "sending client HELO/EHLO to upstream"
    # what has no verb continues an AUTH
    return _BY_VERB.get(verb, SENDING_AUTH) if command else CONNECTING


def _verb(command: bytes) -> bytes:
    return command.partition(b" ")[0]
