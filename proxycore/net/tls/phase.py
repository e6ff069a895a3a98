"""How far a TLS connection is. A module of its own, for who asks that without having OpenSSL."""

from enum import IntEnum


class Phase(IntEnum):
    """How far a connection is; it only ever goes on."""

    HANDSHAKE = 0
    OPEN = 1
    ENDED = 2
    """The peer has said that it sends no more (close_notify); we still may."""
    FAILED = 3
    """Nothing more comes or goes, except what is in ``out``."""
