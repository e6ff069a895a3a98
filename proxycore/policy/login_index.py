"""Which cached answers belong to which login, without a name in it."""

from collections.abc import Iterable


class LoginIndex:
    """Keys of a cache by the tag of a login. Most logins have one key, which costs no container."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: dict[bytes, bytes | set[bytes]] = {}

    def add(self, tag: bytes, key: bytes) -> None:
        """Note that a key is of this login."""
        found = self._keys.setdefault(tag, key)
        if isinstance(found, set):
            found.add(key)
        elif found != key:
            self._keys[tag] = {found, key}

    def remove(self, tag: bytes, key: bytes) -> None:
        """Forget one key."""
        found = self._keys.get(tag)
        if isinstance(found, set):
            found.discard(key)
            if len(found) == 1:
                self._keys[tag] = found.pop()
        elif found == key:
            del self._keys[tag]

    def of(self, tag: bytes) -> Iterable[bytes]:
        """Give the keys of a login; not to be changed while it is iterated."""
        found = self._keys.get(tag, ())
        return (found,) if isinstance(found, bytes) else tuple(found)

    def clear(self) -> None:
        """Forget everything."""
        self._keys.clear()

    def __len__(self) -> int:
        return len(self._keys)
