"""Kinds of alerts. The app that raises one declares it, from its ``AppConfig.ready``."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of trouble that people may want to be told of, or not."""

    name: str
    """As it is stored and in webhooks, for instance ``certificate.expiry``."""
    title: str
    """For people, for instance ``A certificate expires soon``."""
    help: str = ""
    """What it means and what to do, in a sentence."""


_kinds: Final[dict[str, Kind]] = {}


def register(*kinds: Kind) -> None:
    """Declare kinds. The same name again replaces."""
    for kind in kinds:
        _kinds[kind.name] = kind


def kinds() -> list[Kind]:
    """Give every kind, by title."""
    return sorted(_kinds.values(), key=lambda kind: kind.title)


def kind(name: str) -> Kind:
    """Give a kind; one that nobody declares any more is called by its name."""
    return _kinds.get(name) or Kind(name, name)
