"""Spread what one client asks for over time: at first at once, then at a steady rate.

Nothing is refused. Who asks for more than the rate waits, and nobody else does; how many of one
client's may wait is not decided here. Source: the generic cell rate algorithm (ITU-T I.371 §5.4),
whose whole memory of a client is one time.
"""

from typing import Final

_FEW: Final = 1_024
"""Clients remembered before any is looked at for having been forgotten."""

_NOTHING_S: Final = 0.001
"""Less is not worth waiting for: it may be the inexactness of a sum."""


class Pace:
    """When each client may go on. Times are seconds of any clock that does not go back."""

    __slots__ = ("_at_once_s", "_due", "_interval_s", "_look_at")

    def __init__(self, per_s: float, at_once: int) -> None:
        """``at_once``: how many are let through before the rate ``per_s`` holds."""
        self._interval_s = 1 / per_s
        self._at_once_s = at_once * self._interval_s
        self._due: dict[str, float] = {}
        """When the next one would be due if nothing were ever let through at once."""
        self._look_at = _FEW

    def wait_s(self, client: str, now: float) -> float:
        """Count one more of this client; tell how long it is to wait."""
        due = max(self._due.get(client, 0.0), now) + self._interval_s
        if len(self._due) >= self._look_at:
            self._forget(now)
        self._due[client] = due
        wait_s = due - now - self._at_once_s
        return wait_s if wait_s > _NOTHING_S else 0.0

    def lets_through(self, client: str, now: float) -> bool:
        """Count one more of this client if it may go on at once; tell whether it may."""
        due = max(self._due.get(client, 0.0), now) + self._interval_s
        if due - now - self._at_once_s > _NOTHING_S:
            return False
        self._due[client] = due
        return True

    def _forget(self, now: float) -> None:
        """Drop clients that may have everything at once again; so seldom that it costs nothing."""
        self._due = {client: due for client, due in self._due.items() if due > now}
        self._look_at = max(_FEW, 2 * len(self._due))

    def __len__(self) -> int:
        """Tell how many clients are remembered."""
        return len(self._due)
