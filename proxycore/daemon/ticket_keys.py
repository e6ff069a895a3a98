"""Ticket keys that all workers of a node share, made from one secret and changed every hour.

For server blocks without ``ssl_session_ticket_key``. A ticket is good in its hour and the next.
Workers are given keys, never the secret.
"""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from typing import Final

SECRET_BYTES: Final = 32
EPOCH_S: Final = 3600
_LOOK_S: Final = 15.0
"""Clocks are set and machines sleep, so the hour is looked at rather than waited for."""

Keys = list[str]


class TicketRing:
    """The keys of this hour."""

    def __init__(self, secret: bytes, *, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._clock = clock

    @property
    def epoch(self) -> int:
        """The number of this hour."""
        return int(self._clock()) // EPOCH_S

    def keys(self) -> Keys:
        """Give the keys in base64, the one that encrypts first. Needs OpenSSL."""
        from proxycore.net.tls.tickets import derived_keys

        return [base64.b64encode(key).decode() for key in derived_keys(self._secret, self.epoch)]

    async def watch(self, renew: Callable[[Keys], Awaitable[None]]) -> None:
        """Tell when there are other keys; runs until cancelled."""
        told = self.epoch
        while True:
            await asyncio.sleep(_LOOK_S)
            if self.epoch != told:
                told = self.epoch
                await renew(self.keys())
