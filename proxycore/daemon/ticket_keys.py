"""Ticket keys that all workers of a node share.

For server blocks without ``ssl_session_ticket_key``. A node that an appliance steers is given keys
by it, the same as all other nodes (ADR-0028). Without any, or when none have come for a day, keys
are made from a secret of the node's own and change every hour; a ticket is good in its hour and the
next. Workers are given keys, never the secret.
"""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from proxycore.contract.secret import Secret

SECRET_BYTES: Final = 32
EPOCH_S: Final = 3600
KEPT_S: Final = 24 * 3600
"""So long keys of an appliance that is not heard of are used. Afterwards a node is alone with its
own, which change: a key that seals tickets for ever would open all that was ever recorded."""

_LOOK_S: Final = 15.0
"""Clocks are set and machines sleep, so the hour is looked at rather than waited for."""

Keys = list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenKeys:
    """Keys of an appliance."""

    number: int
    keys: tuple[Secret, ...]
    """In base64; the first encrypts."""
    since_s: float
    """Time of day at which they came."""


class TicketRing:
    """The keys of the moment."""

    def __init__(
        self,
        secret: bytes,
        given: GivenKeys | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._secret = secret
        self._given = given
        self._clock = clock

    @property
    def epoch(self) -> int:
        """The number of this hour."""
        return int(self._clock()) // EPOCH_S

    @property
    def given(self) -> GivenKeys | None:
        """The keys of an appliance that were taken last, used or too old."""
        return self._given

    def take(self, number: int, keys: tuple[Secret, ...]) -> GivenKeys:
        """Use keys of an appliance from now on."""
        self._given = GivenKeys(number=number, keys=keys, since_s=self._clock())
        return self._given

    def keys(self) -> Keys:
        """Give the keys in base64, the one that encrypts first. Needs OpenSSL.

        Our own open tickets beside given ones: those of the time before the appliance was heard.
        """
        from proxycore.net.tls.tickets import derived_keys

        own = [base64.b64encode(key).decode() for key in derived_keys(self._secret, self.epoch)]
        given = self._given
        if given is None or self._clock() - given.since_s >= KEPT_S:
            return own
        return [*(key.reveal() for key in given.keys), *own]

    async def watch(self, renew: Callable[[Keys], Awaitable[None]]) -> None:
        """Tell when there are other keys; runs until cancelled."""
        told = self.keys()
        while True:
            await asyncio.sleep(_LOOK_S)
            now = self.keys()
            if now != told:
                told = now
                await renew(now)
