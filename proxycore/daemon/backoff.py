"""How long to wait before the next attempt to connect."""

import random
from typing import Final

CAP_S: Final = 5.0
"""The longest wait: an appliance that is back is seen at once by a person's measure."""

_FIRST_S = 0.2


class Backoff:
    """Doubling waits with jitter, so that a fleet does not come back as one."""

    def __init__(self, chance: random.Random | None = None) -> None:
        self._chance = chance or random.SystemRandom()
        self._failures = 0

    def next_s(self) -> float:
        """Give the wait after one more failure."""
        longest_s = min(_FIRST_S * 2 ** min(self._failures, 10), CAP_S)
        self._failures += 1
        return self._chance.uniform(longest_s / 2, longest_s)

    def refused_s(self) -> float:
        """Give the wait after a refusal: only a person can mend that."""
        return self._chance.uniform(CAP_S * 0.8, CAP_S)

    def reset(self) -> None:
        """Begin anew: the last attempt succeeded."""
        self._failures = 0
