"""Contexts of many names: made when first asked for, forgotten when long unused.

Ten thousand names cost a dictionary each; only those that are asked for cost a context (some 40 kB
with its certificates). A name that nobody configured means the default, so it makes none.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from proxycore.net.tls.front_context import FrontContext
from proxycore.net.tls.names import Names

T = TypeVar("T")

MOST_CONTEXTS: Final = 1_000


class Library(Generic[T]):
    """Gives the context of a server name, for one listening socket.

    ``T`` is whatever names stand for (a server block), compared by identity. A connection keeps its
    context, also when it is forgotten here; sessions and tickets survive that, for keys and caches
    are not a context's own where they are shared.
    """

    __slots__ = ("_build", "_built", "_most", "names")

    def __init__(
        self, names: Names[T], build: Callable[[T], FrontContext], *, most: int = MOST_CONTEXTS
    ) -> None:
        """``build`` may raise ``Refused``, which then is what the connection fails with."""
        self.names = names
        self._build = build
        self._most = most
        self._built: OrderedDict[int, tuple[T, FrontContext]] = OrderedDict()

    def __len__(self) -> int:
        """Tell how many contexts there are."""
        return len(self._built)

    def of(self, meaning: T) -> FrontContext:
        """Give the context of what a name stands for."""
        known = self._built.get(id(meaning))
        if known is not None:
            self._built.move_to_end(id(meaning))
            return known[1]
        context = self._build(meaning)
        self._built[id(meaning)] = (meaning, context)
        if len(self._built) > self._most:
            self._built.popitem(last=False)
        return context

    def choose(self, server_name: str) -> FrontContext:
        """Give the context of a server name: what ``FrontTlsEndpoint`` calls."""
        return self.of(self.names.choose(server_name))
