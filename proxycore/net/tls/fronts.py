"""TLS towards clients, of a whole worker: what its sockets, names and snapshots have in common."""

from collections.abc import Iterable, Mapping

from proxycore.contract.server_names import Names
from proxycore.net.context import Block
from proxycore.net.tls.front_context import FrontContext
from proxycore.net.tls.library import Library, Shelf
from proxycore.net.tls.tickets import TicketKeys
from proxycore.net.tls.zone import Zone


class Fronts:
    """Makes the libraries of one snapshot after the other.

    A block has one context, whichever of its sockets a client comes by. A new snapshot takes over
    the contexts of blocks whose TLS has not changed; sessions of the one before keep theirs.
    """

    __slots__ = ("_shelf", "_tickets", "_zones")

    def __init__(self) -> None:
        self._zones: Mapping[str, Zone] = {}
        self._tickets: TicketKeys | None = None
        self._shelf = Shelf(self._build)

    def __len__(self) -> int:
        """Tell how many contexts there are."""
        return len(self._shelf)

    def share(self, zones: Mapping[str, Zone], tickets: TicketKeys | None) -> None:
        """Use these caches and keys, which other workers have as well, from the next snapshot on.

        Keys are used at once.
        """
        self._zones = zones
        if tickets is not None:
            self.renew_tickets(tickets)

    def renew_tickets(self, tickets: TicketKeys) -> None:
        """Use these keys from now on, also where a context is there already."""
        self._tickets = tickets
        for _, context in self._shelf:
            context.renew_tickets(tickets)

    def begin(self, blocks: Iterable[Block]) -> None:
        """Take over what is still good for the blocks of a new snapshot."""
        former = {
            (block.server.name, block.server.protocol): (block, it) for block, it in self._shelf
        }
        self._shelf = Shelf(self._build)
        for block in blocks:
            known = former.get((block.server.name, block.server.protocol))
            if known is not None and self._is_good(known[0], known[1], block):
                self._shelf.put(block, known[1])

    def _is_good(self, former: Block, context: FrontContext, block: Block) -> bool:
        settings = block.server.front_tls
        if former.server.front_tls != settings:
            return False
        shared = self._zones.get(settings.ssl_session_cache_shared_name)
        return shared is None or shared is context.zone

    def library(self, default: Block, others: Iterable[Block]) -> Library[Block]:
        """Give the contexts for a socket; ``default`` is for clients that name nobody."""
        blocks = (default, *others)
        named = [(name, block) for block in blocks for name in block.server.server_names]
        return Library(Names(default, named), self._shelf)

    def _build(self, block: Block) -> FrontContext:
        server = block.server
        return FrontContext(
            server.front_tls,
            scope=server.name,
            protocol=server.protocol,
            tickets=self._tickets,
            zones=self._zones,
        )
