"""A value that may be used but never shown."""

import hmac
from typing import Final


class Secret:
    """Hold a secret so that no repr, log line, traceback or format string can show it.

    Only ``reveal()`` gives the value, so that every place that needs it can be found by name.
    Comparison takes constant time.
    """

    __slots__ = ("_value",)

    MASK: Final = "********"

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the secret itself."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"Secret({self.MASK})"

    def __str__(self) -> str:
        return self.MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        ours = self._value.encode("utf-8", "surrogatepass")
        return hmac.compare_digest(ours, other._value.encode("utf-8", "surrogatepass"))

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str | tuple[object, ...]:
        # Pickling is how a secret would reach a task queue or a cache by accident.
        raise TypeError("a Secret is not pickled: pass an identifier and look it up")
