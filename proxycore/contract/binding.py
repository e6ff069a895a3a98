"""Which sockets a configuration needs, and which ``listen`` each connection belongs to.

nginx's rule: a wildcard covers the other addresses on its port, whichever server names them; they
get no socket of their own, and the local address of a connection tells which one is meant. One
that asks for ``bind``, or has an option of its own, is bound beside the wildcard.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    covered: Mapping[str, tuple[int, Listen]] = field(default_factory=dict)
    """By local address: a more precise ``listen`` that this socket serves, and its block."""


def bindings(snapshot: Snapshot) -> dict[str, Binding]:
    """Give the sockets to bind, by ``Listen.key``."""
    named = [
        (listen, i, f"servers[{i}].listens[{j}]")
        for i, server in enumerate(snapshot.servers)
        for j, listen in enumerate(server.listens)
    ]
    keys = {listen.key for listen, _, _ in named}
    covered: dict[str, dict[str, tuple[int, Listen]]] = {}
    found: dict[str, Binding] = {}
    for listen, server, path in named:
        wildcard = listen.wildcard
        if listen.key != wildcard and wildcard in keys and not listen.is_bound_apart:
            covered.setdefault(wildcard, {})[listen.ip] = (server, listen)
        else:
            found[listen.key] = Binding(listen=listen, server=server, path=path)
    return {
        key: Binding(
            listen=one.listen, server=one.server, path=one.path, covered=covered.get(key, {})
        )
        for key, one in found.items()
    }
