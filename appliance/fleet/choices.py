"""The closed lists of words the fleet uses."""

from enum import IntEnum
from typing import Final

from django.db import models


class NodeState(models.TextChoices):
    """What can be said of a node, from what it acknowledged and when it was last heard.

    Never from the state of a socket: an open socket proves nothing about what a node serves.
    """

    RUNNING = "running", "Running"
    BEHIND = "behind", "Behind"
    REFUSED = "refused", "Refused"
    DRAINING = "draining", "Draining"
    SILENT = "silent", "Silent"
    NEW = "new", "Not seen yet"
    REVOKED = "revoked", "Revoked"


TONES: Final[dict[NodeState, str]] = {
    NodeState.RUNNING: "success",
    NodeState.BEHIND: "warning",
    NodeState.REFUSED: "danger",
    NodeState.DRAINING: "warning",
    NodeState.SILENT: "danger",
    NodeState.NEW: "info",
    NodeState.REVOKED: "",
}
"""Colour of each state."""


class SessionState(models.TextChoices):
    """What can be said of a live session, the first that is so."""

    DISCONNECTING = "disconnecting", "Leaving"
    WAITING = "waiting", "Queued"
    SILENT = "silent", "Silent"
    DRAINING = "draining", "Draining"
    OPEN = "open", "Open"


class WaitingState(models.TextChoices):
    """How far a session is that has not logged in: ``contract.session.Standing`` for people."""

    PROXY_HEADER = "proxy_header", "PROXY header awaited"
    CLIENT_NAME = "client_name", "Client's name looked up"
    QUEUED = "queued", "TLS handshake queued"
    HANDSHAKE = "handshake", "TLS handshake"
    DELAYING = "delaying", "Greeting held back"
    IDENTIFYING = "identifying", "Login awaited"
    AUTHORISING = "authorising", "Auth service asked"
    REFUSING = "refusing", "Refusal held back"
    RETRYING = "retrying", "Asked to wait"
    CONNECTING = "connecting", "Mail server connected"
    LOGGING_IN = "logging_in", "Logging in there"
    CLOSING = "closing", "Closing"


class CommandKind(models.TextChoices):
    """What a node can be told to do once."""

    KICK = "kick", "Disconnect sessions"


class CommandState(models.TextChoices):
    """The way of a command."""

    PENDING = "pending", "Waiting for the node"
    SENT = "sent", "Sent"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class CloseCode(IntEnum):
    """Why the appliance ended a node's or an operator's WebSocket (RFC 6455 §7.4.2: 4000-4999).

    Of the codes below 3000 Daphne sends none but 1000.
    """

    INVALID_FRAME = 4400
    NOT_ALLOWED = 4403
    LINK_VERSION = 4406
    SILENT = 4408
    REPLACED = 4409
    FRAME_TOO_BIG = 4413
    TRY_AGAIN_LATER = 4503
