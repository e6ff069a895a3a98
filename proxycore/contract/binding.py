"""Which sockets a configuration needs, and which ``listen`` each connection belongs to.

nginx's rule: a wildcard covers the other addresses on its port, whichever server names them; they
get no socket of their own, and the local address of a connection tells which one is meant. One
that asks for ``bind``, or has an option of its own, is bound beside the wildcard.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from proxycore.contract.listen import Listen
from proxycore.contract.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One socket to bind."""

    listen: Listen
    server: int
    """Position in ``Snapshot.servers`` of the block that names it."""
    path: str
    """The setting that names it."""
    sharing: tuple[int, ...] = ()
    """Other blocks that name it, told apart by SNI; ``server`` is the default."""
    covered: Mapping[str, "Binding"] = field(default_factory=dict)
    """By local address: more precise ``listen``s that this socket serves."""


def bindings(snapshot: Snapshot) -> dict[str, Binding]:
    """Give the sockets to bind, by ``Listen.key``; a drained node has none."""
    if not snapshot.accepting:
        return {}
    named: dict[str, Binding] = {}
    for i, server in enumerate(snapshot.servers):
        for j, listen in enumerate(server.listens):
            first = named.get(listen.key)
            if first is None:
                path = f"servers[{i}].listens[{j}]"
                named[listen.key] = Binding(listen=listen, server=i, path=path)
            else:
                named[listen.key] = replace(first, sharing=(*first.sharing, i))
    covered: dict[str, dict[str, Binding]] = {}
    found: dict[str, Binding] = {}
    for key, one in named.items():
        wildcard = one.listen.wildcard
        if key != wildcard and wildcard in named and not one.listen.is_bound_apart:
            covered.setdefault(wildcard, {})[one.listen.ip] = one
        else:
            found[key] = one
    return {key: replace(one, covered=covered.get(key, {})) for key, one in found.items()}
