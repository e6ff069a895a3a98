"""Contexts of many names: made when first asked for, forgotten when long unused.

Ten thousand names cost a dictionary entry each; only those that are asked for cost a context (some
40 kB with its certificates). A name that nobody configured means the default, so it makes none.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

from proxycore.contract.server_names import Names
from proxycore.net.tls.front import FrontTlsEndpoint
from proxycore.net.tls.front_context import FrontContext

T = TypeVar("T")

MOST_CONTEXTS: Final = 1_000


class Shelf(Generic[T]):
    """Contexts of what names stand for (server blocks), compared by identity.

    A connection keeps its context, also when it is forgotten here; sessions and tickets survive
    that, for keys and caches are not a context's own where they are shared.
    """

    __slots__ = ("_build", "_made", "_most")

    def __init__(self, build: Callable[[T], FrontContext], *, most: int = MOST_CONTEXTS) -> None:
        """``build`` may raise ``Refused``, which then is what the connection fails with."""
        self._build = build
        self._most = most
        self._made: OrderedDict[int, tuple[T, FrontContext]] = OrderedDict()

    def __len__(self) -> int:
        """Tell how many contexts there are."""
        return len(self._made)

    def __iter__(self) -> Iterator[tuple[T, FrontContext]]:
        """Give what there is a context of, with it."""
        return iter(self._made.values())

    def of(self, meaning: T) -> FrontContext:
        """Give the context of what a name stands for."""
        known = self._made.get(id(meaning))
        if known is not None:
            self._made.move_to_end(id(meaning))
            return known[1]
        context = self._build(meaning)
        self.put(meaning, context)
        return context

    def put(self, meaning: T, context: FrontContext) -> None:
        """Have a context that was made before."""
        self._made[id(meaning)] = (meaning, context)
        if len(self._made) > self._most:
            self._made.popitem(last=False)


class Library(Generic[T]):
    """Gives the context of a server name, for one listening socket."""

    __slots__ = ("_shelf", "names")

    def __init__(self, names: Names[T], shelf: Shelf[T]) -> None:
        self.names = names
        self._shelf = shelf

    def choose(self, server_name: str) -> FrontContext:
        """Give the context of a server name: what ``FrontTlsEndpoint`` calls."""
        return self._shelf.of(self.names.choose(server_name))

    def endpoint(self) -> FrontTlsEndpoint:
        """Begin a connection."""
        return FrontTlsEndpoint(self.choose)
