"""The states of a session and the moves between them: the one place that knows.

                          SECURING                       (STARTTLS: back as if newly greeted)
                            ▼ ▲
    NEW ──► DELAYING ──► IDENTIFYING ──► AUTHORISING ──► CONNECTING ──► LOGGING_IN ──► RELAYING
     └───────────────────►  ▲ ▲             ▲  │ │ │
                            │ └── REFUSING ◄┼──┘ │ │     (Auth-Wait: the reply is held back)
                            │     RETRYING ◄┼────┘ │     (WAIT: the question is asked again)
                            │        └──────┘      │
                            └──────────────────────┘     (a token's failure is explained first)
                                                         every state may move to CLOSED

``docs/states.md`` draws its diagram from ``MOVES``; a test requires that a transcript makes every
move.
"""

from enum import IntEnum
from typing import Final


class State(IntEnum):
    """Where a session stands. A condition, not an act."""

    NEW = 0
    DELAYING = 1
    """SMTP: the greeting is withheld; whoever speaks now is turned away."""
    IDENTIFYING = 2
    """The client talks to us and has not submitted credentials."""
    AUTHORISING = 3
    """The auth service is asked."""
    REFUSING = 4
    """Auth-Wait of a refusal: the reply is held back."""
    RETRYING = 5
    """Auth-Wait of a WAIT: the question will be asked again."""
    CONNECTING = 6
    LOGGING_IN = 7
    """We talk to the mail server as its client."""
    RELAYING = 8
    CLOSED = 9
    SECURING = 10
    """The client was told to begin TLS; nothing is heard until the handshake is done."""


MOVES: Final[dict[State, frozenset[State]]] = {
    State.NEW: frozenset({State.DELAYING, State.IDENTIFYING, State.CLOSED}),
    State.DELAYING: frozenset({State.IDENTIFYING, State.CLOSED}),
    State.IDENTIFYING: frozenset({State.AUTHORISING, State.SECURING, State.CLOSED}),
    State.SECURING: frozenset({State.IDENTIFYING, State.CLOSED}),
    State.AUTHORISING: frozenset(
        {State.IDENTIFYING, State.REFUSING, State.RETRYING, State.CONNECTING, State.CLOSED}
    ),
    State.REFUSING: frozenset({State.IDENTIFYING, State.CLOSED}),
    State.RETRYING: frozenset({State.AUTHORISING, State.CLOSED}),
    State.CONNECTING: frozenset({State.LOGGING_IN, State.CLOSED}),
    State.LOGGING_IN: frozenset({State.RELAYING, State.CLOSED}),
    State.RELAYING: frozenset({State.CLOSED}),
    State.CLOSED: frozenset(),
}
"""What may follow what. A move not listed here is our bug, never a peer's."""
