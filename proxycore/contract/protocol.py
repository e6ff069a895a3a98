"""The three mail protocols and what is fixed about them."""

from enum import StrEnum
from typing import Final


class Protocol(StrEnum):
    """A mail protocol as nginx's ``protocol`` directive and ``Auth-Protocol`` spell it."""

    IMAP = "imap"
    POP3 = "pop3"
    SMTP = "smtp"


DEFAULT_PORTS: Final[dict[Protocol, int]] = {
    Protocol.IMAP: 143,
    Protocol.POP3: 110,
    Protocol.SMTP: 25,
}
"""Port of a mail host that names none (seed listing 15-2)."""

WELL_KNOWN_PORTS: Final[dict[int, Protocol]] = {
    25: Protocol.SMTP,
    110: Protocol.POP3,
    143: Protocol.IMAP,
    465: Protocol.SMTP,
    587: Protocol.SMTP,
    993: Protocol.IMAP,
    995: Protocol.POP3,
}
"""What a listening port says of the protocol when no ``protocol`` directive does."""
