"""What one block says, before blocks are merged."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from proxycore.nginxconf.problems import ConfProblem, Place
from proxycore.nginxconf.rows import Context


@dataclass(slots=True)
class Scope:
    """What one block says: values by field, and where each was said."""

    context: Context
    place: Place = Place("", 0)  # noqa: RUF009  (frozen)
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    ours: bool = False
    """It stands in comments of ours, and any directive may."""


class Contest(NamedTuple):
    """A socket that an earlier ``listen`` has: a problem unless both may share it (SNI)."""

    problem: ConfProblem
    scope: Scope
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """All that was read of a configuration."""

    main: Scope
    mail: Scope
    servers: list[Scope]
    contests: list[Contest]
    """Their problems are in the report already."""
    directory: str
    """Of the file: where relative paths of TLS directives start."""
