"""What nodes are called: the fleet says so, which is above the history and not known here."""

from collections.abc import Callable

_source: list[Callable[[], dict[int, str]]] = []


def register(source: Callable[[], dict[int, str]]) -> None:
    """Have the names of nodes by id from this function. The last one counts."""
    _source[:] = [source]


def all_names() -> dict[int, str]:
    """Give the names of all nodes by id."""
    return _source[0]() if _source else {}


def name_of(node: int, known: dict[int, str] | None = None) -> str:
    """Give what a node is called; one that is deleted has its number left."""
    names = all_names() if known is None else known
    return names.get(node) or f"node {node}, deleted"
