"""What other apps bring to publishing: sections of the snapshot, and how a revision fares.

``publish`` knows no domain; apps register from their ``AppConfig.ready``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from proxycore.contract.codec import Problem
from proxycore.contract.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Origin:
    """The stored object that a part of the document was made from."""

    label: str
    """For people, for instance ``server block "imap"``."""
    url: str = ""
    """Where an operator can change it."""
    anchor: Callable[[str], str] = field(default=lambda _: "", compare=False, repr=False)
    """Gives the HTML id of the field on that page, for a path below this object."""


@dataclass(frozen=True, slots=True)
class Section:
    """Some top-level keys of the snapshot document."""

    plain: Mapping[str, Any]
    """JSON data; secrets in clear, since digests cover them."""
    origins: Mapping[str, Origin] = field(default_factory=dict)
    """By path, for instance ``servers[0]`` or ``servers[0].listens[1]``; the longest fits."""
    problems: Sequence[Problem] = ()
    """What could not be put into ``plain`` at all, for instance a key that cannot be read."""


@dataclass(frozen=True, slots=True)
class StatusLine:
    """How the active revision fares somewhere, for instance on one node."""

    subject: str
    tone: Literal["success", "warning", "danger", "info"]
    text: str
    details: Sequence[str] = ()
    url: str = ""
    state: Literal["running", "waiting", "refused", "away"] = "waiting"
    """``waiting``: connected and not told yet; ``away``: not heard of, whatever it serves."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node says of a candidate that it was asked to check against its own host."""

    candidate: int
    """Number of publish.models.Candidate."""
    problems: Sequence[Problem] = ()
    """Why it would refuse it."""
    warnings: Sequence[Problem] = ()
    """What it would take, and an operator should know."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Somewhere the active revision is to run, for instance a node."""

    name: str
    text: str
    """How it fares, in words."""
    url: str = ""
    is_connected: bool = False
    revision: int = 0
    """Number of the revision it runs; 0: nothing."""
    digest: str = ""
    """Of its part of that revision."""
    group: str = ""
    """Group of nodes it belongs to, whose part it is to run; empty: none."""
    answer: Answer | None = None
    """The last it said of a candidate, whichever."""


SectionBuilder = Callable[[], Section]
SectionLoader = Callable[[Snapshot], None]
"""Makes the stored objects of a section say what a snapshot says."""
StatusProvider = Callable[[int], Sequence[StatusLine]]
"""Called with the number of the active revision."""
DestinationProvider = Callable[[], Sequence[Destination]]

_sections: Final[dict[str, SectionBuilder]] = {}
_loaders: Final[dict[str, SectionLoader]] = {}
_status_providers: Final[dict[str, StatusProvider]] = {}
_destination_providers: Final[dict[str, DestinationProvider]] = {}


def register_section(name: str, build: SectionBuilder, load: SectionLoader | None = None) -> None:
    """Let an app contribute to every snapshot. The same name again replaces.

    load: brings the app's draft back to what a snapshot says.
    """
    _sections[name] = build
    if load is not None:
        _loaders[name] = load


def register_status_provider(name: str, provide: StatusProvider) -> None:
    """Let an app say on the Publish page how the active revision fares."""
    _status_providers[name] = provide


def register_destinations(name: str, provide: DestinationProvider) -> None:
    """Let an app say where the active revision is to run."""
    _destination_providers[name] = provide


def sections() -> list[Section]:
    """Build every section, in order of registration."""
    return [build() for build in _sections.values()]


def load_sections(snapshot: Snapshot) -> None:
    """Make the draft of every app say what the snapshot says."""
    for load in _loaders.values():
        load(snapshot)


def status_lines(number: int) -> list[StatusLine]:
    """Ask every provider how the revision fares."""
    return [line for provide in _status_providers.values() for line in provide(number)]


def destinations() -> list[Destination]:
    """Ask every provider where the active revision is to run."""
    return [one for provide in _destination_providers.values() for one in provide()]
