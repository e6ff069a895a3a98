"""What the CA is to be shown, and who has to be told when that changes.

Nodes answer on port 80 in the appliance's stead: whoever passes answers on to them registers
here, and reads ``queries.pending_answers`` when it is called. A call may be lost with its process.
"""

import logging
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from django.db import transaction

logger = logging.getLogger(__name__)

Listener = Callable[[], None]

_listeners: Final[dict[str, Listener]] = {}


def register(name: str, listener: Listener) -> None:
    """Have something called after the pending answers have changed. It gets nothing."""
    _listeners[name] = listener


def has_listeners() -> bool:
    """Tell whether somebody has to be given time to pass answers on."""
    return bool(_listeners)


def changed() -> None:
    """Call every listener once the present transaction is committed; outside of one, now."""
    transaction.on_commit(_call)


def _call() -> None:
    for name, listener in _listeners.items():
        try:
            listener()
        except Exception:
            # the CA may get its answer elsewhere, and says so when it does not
            logger.exception("listener=%s of the pending answers failed", name)


def digest(key_authorization: str) -> str:
    """Give what DNS-01 wants in the TXT record (RFC 8555 §8.4)."""
    octets = sha256(key_authorization.encode()).digest()
    return urlsafe_b64encode(octets).rstrip(b"=").decode()
