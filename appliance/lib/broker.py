"""Celery's broker of plain files, made to notice quickly that the worker is to stop.

A worker on a transport without its own event loop looks at its stop flag only between calls of
``drain_events``, which it lets wait two seconds. Twice that is more than Ctrl-C of a whole
appliance should take, so this transport comes back sooner.

kombu's channel makes a message's file and fills it afterwards: a worker that looks in between takes
an empty message and ends of it. Here a message appears when it is whole.
"""

import logging
import os
import uuid
from pathlib import Path
from time import monotonic
from typing import Any, Final

from kombu import Connection
from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

logger = logging.getLogger(__name__)

SCHEME: Final = "postroadfiles"
_LONGEST_WAIT_S: Final = 0.2


class Channel(filesystem.Channel):
    """The filesystem channel, on which messages are there or not, and nothing between."""

    def _put(self, queue: str, payload: dict[str, Any], **_: Any) -> None:  # type: ignore[override]  # its ancestors disagree
        """Write a message under another name, and only then under its own."""
        folder = Path(self.data_folder_out)
        # the ancestor's form, by which messages are found and kept in order
        name = f"{round(monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        hidden = folder / f".{name}"
        try:
            hidden.write_bytes(dumps(payload).encode())
            os.replace(hidden, folder / name)
        except OSError as fault:
            raise ChannelError(f"no message can be written to {folder}: {fault}") from fault

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        """Take the next message; one that is none (a full disk, a crash) is dropped."""
        while True:
            try:
                return super()._get(queue)
            except ValueError:
                logger.warning("queue=%s: a damaged message is dropped", queue)


class Transport(filesystem.Transport):
    """The filesystem transport with whole messages and short waits."""

    Channel: type[Channel] = Channel

    def drain_events(self, connection: Connection, timeout: float | None = None, **_: Any) -> None:
        """Wait for a message, at most ``_LONGEST_WAIT_S`` whatever the caller's ``timeout``."""
        short_s = _LONGEST_WAIT_S if timeout is None else min(timeout, _LONGEST_WAIT_S)
        super().drain_events(connection, timeout=short_s)


def register() -> str:
    """Make the transport known to Celery; gives the broker URL that selects it."""
    TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"
    return f"{SCHEME}://localhost"
