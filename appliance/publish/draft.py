"""The draft: the configuration as the admin has it now, checked by the contract's own code."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.publish import registry
from appliance.publish.registry import Origin
from proxycore.contract.codec import Invalid, Problem, decode
from proxycore.contract.snapshot import Snapshot, from_plain


@dataclass(frozen=True, slots=True)
class DraftProblem:
    """One thing wrong with the draft, and where an operator can mend it."""

    origin: Origin
    field: str
    """Path below the origin, for instance ``timeout_ms``; empty when it is the whole."""
    message: str

    @property
    def url(self) -> str:
        """Give where it is mended: the page, and the field on it."""
        anchor = self.origin.anchor(self.field) if self.origin.url else ""
        return f"{self.origin.url}#{anchor}" if anchor else self.origin.url

    def __str__(self) -> str:
        return " ".join(part for part in (self.origin.label, self.field) if part) + (
            f": {self.message}"
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """Either a snapshot or the reasons why there is none."""

    snapshot: Snapshot | None
    problems: tuple[DraftProblem, ...] = ()
    readable: Snapshot | None = None
    """The content where every setting by itself is right, so that it can be compared."""
    origins: Mapping[str, Origin] = field(default_factory=dict)
    """Where each part of the content can be mended, by path."""
    fingerprint: str = ""
    """Equal for equal contents, also of a draft that cannot be published; else its digest."""


def build() -> Draft:
    """Put the sections together and check the whole."""
    document: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    missing: list[Problem] = []
    for section in registry.sections():
        document.update(section.plain)
        origins.update(section.origins)
        missing += section.problems
    readable = None
    try:
        if missing:
            raise Invalid(missing)
        readable = decode(Snapshot, document)
        snapshot = from_plain(document)
        return Draft(snapshot, readable=readable, origins=origins, fingerprint=snapshot.digest())
    except Invalid as invalid:
        problems = tuple(locate(problem, origins) for problem in invalid.problems)
        content = json.dumps(document, sort_keys=True, default=str).encode()
        # no digest of a snapshot can be equal to it
        fingerprint = f"-{hashlib.sha256(content).hexdigest()[1:]}"
        return Draft(None, problems, readable, origins, fingerprint)


def locate(problem: Problem, origins: Mapping[str, Origin]) -> DraftProblem:
    """Find the stored object a problem's path belongs to: the longest known beginning of it."""
    path = problem.path
    while path:
        if path in origins:
            rest = problem.path[len(path) :].lstrip(".")
            return DraftProblem(origins[path], rest, problem.message)
        path = re.sub(r"(?:^|\.)[^.\[\]]+$|\[\d+\]$", "", path)
    return DraftProblem(Origin("configuration"), problem.path, problem.message)
