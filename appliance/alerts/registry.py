"""Kinds of alerts. The app that raises one declares it, from its ``AppConfig.ready``."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

Subjects = Callable[[], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of trouble that people may want to be told of, or not."""

    name: str
    """As it is stored and in webhooks, for instance ``certificate.expiry``."""
    title: str
    """For people, for instance ``A certificate expires soon``."""
    help: str = ""
    """What it means and what to do, in a sentence."""
    subjects: Subjects | None = field(default=None, compare=False)
    """Gives everything that alerts of this kind can be about now. An alert about anything else is
    cleared: what it was about was deleted, or is called something else. None: whoever raises it
    clears it in any case."""


_kinds: Final[dict[str, Kind]] = {}


def register(*kinds: Kind) -> None:
    """Declare kinds. The same name again replaces."""
    for kind in kinds:
        _kinds[kind.name] = kind


def kinds() -> list[Kind]:
    """Give every kind, by title."""
    return sorted(_kinds.values(), key=lambda kind: kind.title)


def is_known(name: str) -> bool:
    """Tell whether anybody declares this kind."""
    return name in _kinds


def kind(name: str) -> Kind:
    """Give a kind; one that nobody declares any more is called by its name."""
    return _kinds.get(name) or Kind(name, name)
