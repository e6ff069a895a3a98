"""Celery's broker of plain files, made to notice quickly that the worker is to stop.

A worker on a transport without its own event loop looks at its stop flag only between calls of
``drain_events``, which it lets wait two seconds. Twice that is more than Ctrl-C of a whole
appliance should take, so this transport comes back sooner.
"""

from typing import Any, Final

from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES, filesystem

SCHEME: Final = "postroadfiles"
_LONGEST_WAIT_S: Final = 0.2


class Transport(filesystem.Transport):
    """The filesystem transport with short waits."""

    def drain_events(self, connection: Connection, timeout: float | None = None, **_: Any) -> None:
        """Wait for a message, at most ``_LONGEST_WAIT_S`` whatever the caller's ``timeout``."""
        short_s = _LONGEST_WAIT_S if timeout is None else min(timeout, _LONGEST_WAIT_S)
        super().drain_events(connection, timeout=short_s)


def register() -> str:
    """Make the transport known to Celery; gives the broker URL that selects it."""
    TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"
    return f"{SCHEME}://localhost"
