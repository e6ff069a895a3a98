"""How the cache that web processes share keeps its values."""

import json
from typing import Any


class JsonSerializer:
    """Plain data as JSON. Django's own would be pickle: who can write to Redis could run code."""

    def dumps(self, value: Any) -> bytes | int:
        """Give the octets of a value; a number as it is, so that Redis can count with it."""
        if type(value) is int:
            return value
        return json.dumps(value, separators=(",", ":")).encode()

    def loads(self, data: bytes) -> Any:
        """Read what ``dumps`` gave."""
        return json.loads(data)
