"""Which of several equal services to ask: a circuit breaker for each (ADR-0012)."""

from collections.abc import Sequence
from typing import Final

OPENS_AFTER: Final = 3
"""Failures in a row after which a service is left alone."""
REST_S: Final = 10.0
"""How long it is left alone before one question tries it again."""


class Breaker:
    """What is known of one service's health."""

    __slots__ = ("_failures", "_rests_until", "failed_at")

    def __init__(self) -> None:
        self._failures = 0
        self._rests_until = 0.0
        self.failed_at = float("-inf")
        """When it last failed (monotonic seconds)."""

    def admits(self, now: float) -> bool:
        """Tell whether to ask it. After its rest one asker is told so, until that one is back."""
        if self._failures < OPENS_AFTER:
            return True
        if now < self._rests_until:
            return False
        self._rests_until = now + REST_S
        return True

    def succeeded(self) -> None:
        """It has answered."""
        self._failures = 0

    def failed(self, now: float) -> None:
        """It could not be reached, was silent, or said that it cannot answer."""
        self._failures += 1
        self.failed_at = now
        self._rests_until = now + REST_S


def in_order(breakers: Sequence[Breaker], now: float) -> list[int]:
    """Give the order in which to ask: the healthy ones as configured, then the others.

    The others come the one whose failure is longest ago first; so somebody is asked always.
    """
    healthy = [i for i, breaker in enumerate(breakers) if breaker.admits(now)]
    ill = [i for i in range(len(breakers)) if i not in healthy]
    return healthy + sorted(ill, key=lambda i: breakers[i].failed_at)
