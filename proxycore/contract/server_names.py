"""Which server block a name means: nginx's rules for ``server_name``.

An exact name first, then the longest name with a leading wildcard (``*.example.com``), then the
longest with a trailing one (``mail.*``), then the default. ``.example.com`` is ``example.com`` and
``*.example.com``; a lone ``*`` is any name; ``_`` is a name nobody has. Of two blocks with one
name, the first has it. A lookup costs a dictionary access per label, however many names there are.
"""

import re
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

LONGEST_NAME: Final = 255

_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")


def is_address(name: str) -> bool:
    """Tell whether this is an IP address and not a name."""
    return ":" in name or _IPV4.fullmatch(name) is not None


class Names(Generic[T]):
    """Names and what they mean."""

    __slots__ = ("_any", "_exact", "_leading", "_trailing", "default")

    def __init__(self, default: T, named: Iterable[tuple[str, T]]) -> None:
        """``named``: names as configured, in order; ``default``: for no name and unknown ones."""
        self.default = default
        self._exact: dict[str, T] = {}
        self._leading: dict[str, T] = {}
        self._trailing: dict[str, T] = {}
        self._any: list[T] = []
        for name, meaning in named:
            self._enter(name.lower().rstrip("."), meaning)

    def _enter(self, name: str, meaning: T) -> None:
        if name == "*":
            self._any.append(meaning)
        elif name.startswith("."):
            self._exact.setdefault(name[1:], meaning)
            self._leading.setdefault(name[1:], meaning)
        elif name.startswith("*."):
            self._leading.setdefault(name[2:], meaning)
        elif name.endswith(".*"):
            self._trailing.setdefault(name[:-2], meaning)
        else:
            self._exact.setdefault(name, meaning)

    def choose(self, name: str) -> T:
        """Give what ``name`` means; an empty one means the default."""
        name = name.lower().rstrip(".")
        if not name:
            return self.default
        found = self._exact.get(name)
        if found is not None:
            return found
        if self._leading:
            rest = name
            while "." in rest:
                rest = rest.partition(".")[2]
                if (found := self._leading.get(rest)) is not None:
                    return found
        if self._trailing:
            rest = name
            while "." in rest:
                rest = rest.rpartition(".")[0]
                if (found := self._trailing.get(rest)) is not None:
                    return found
        return self._any[0] if self._any else self.default
