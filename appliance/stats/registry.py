"""What statistics cannot know by themselves: how nodes are called, and what else is measured."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of the appliance itself, for ``/metrics``."""

    name: str
    """Without the prefix ``postroad_``."""
    help: str
    kind: str
    """``gauge`` or ``counter``."""
    samples: Callable[[], Iterable[tuple[Mapping[str, str], float]]]
    """Gives labels and values. No label may be of a user or a client."""


_metrics: Final[dict[str, Metric]] = {}
_names: Final[list[Callable[[], dict[int, str]]]] = []


def register_metrics(*metrics: Metric) -> None:
    """Declare metrics. The same name again replaces."""
    for metric in metrics:
        _metrics[metric.name] = metric


def metrics() -> list[Metric]:
    """Give every metric, by name."""
    return [_metrics[name] for name in sorted(_metrics)]


def register_node_names(names: Callable[[], dict[int, str]]) -> None:
    """Say how nodes are called, by their ids."""
    _names[:] = [names]


def node_names() -> dict[int, str]:
    """Give how nodes are called."""
    return _names[0]() if _names else {}
