"""The channel-layer messages of the fleet. They may be lost, so they carry only numbers.

Whoever hears one looks into the database for what is so now; whoever does not hear it looks there
anyway a second later (ADR-0009).
"""

from typing import Final

from appliance.lib.doorbell import ring_on_commit

SESSION_PAGES: Final = "session-pages"
"""Channel-layer group of all browsers that show live sessions."""

SESSIONS_CHANGED: Final[dict[str, str | int]] = {"type": "sessions.changed"}

WAITING_PAGES: Final = "waiting-pages"
"""Channel-layer group of all browsers that show sessions before login."""

WAITING_TOLD: Final[dict[str, str | int]] = {"type": "waiting.told"}


def survey_wanted(number: int, most: int) -> dict[str, str | int]:
    """Say that somebody looks at sessions before login, so that nodes are asked for them."""
    return {"type": "waiting.wanted", "number": number, "most": most}


def ring_for_command(node_id: int) -> None:
    """Say, once it is committed, that a command waits for a node."""
    ring_on_commit({"type": "node.command", "node": node_id})


def ring_for_dismissal(node_id: int) -> None:
    """Say, once it is committed, that a node's connection has to go."""
    ring_on_commit({"type": "node.dismissed", "node": node_id})


def ring_for_sessions() -> None:
    """Say, once it is committed, that the live index has changed."""
    ring_on_commit(SESSIONS_CHANGED, SESSION_PAGES)


def ring_for_challenges() -> None:
    """Say, once it is committed, that nodes have other answers to give to authorities."""
    ring_on_commit({"type": "challenges.changed"})


def ring_for_tickets() -> None:
    """Say, once it is committed, that there are other session ticket keys."""
    ring_on_commit({"type": "tickets.renewed"})
