"""What the nodes say of the draft before it is published (ADR-0024), and where it is mended."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from django.utils import timezone

from appliance.publish import draft, queries, registry
from appliance.publish.draft import Draft, DraftProblem
from appliance.publish.parts import path_in_whole
from appliance.publish.registry import Destination
from proxycore.contract.codec import Problem

PATIENCE: Final = timedelta(seconds=15)
"""A connected node that has not answered by then is not waited for."""

SHOWN: Final = 30
"""Nodes that have something to say, each with what it says; of the others the number is told."""

State = Literal["fine", "warned", "refused", "waiting", "away"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one node says."""

    node: Destination
    state: State
    problems: Sequence[DraftProblem] = ()
    warnings: Sequence[DraftProblem] = ()


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What all nodes say of the draft as it is now."""

    asked_at: datetime | None
    """None: nobody has been asked about this very draft."""
    all: Sequence[Verdict]

    def of(self, *states: State) -> list[Verdict]:
        """Give those of some states."""
        return [one for one in self.all if one.state in states]

    @property
    def told(self) -> list[Verdict]:
        """Give those that say something, the worst first, as many as are shown."""
        return [*self.of("refused"), *self.of("warned"), *self.of("waiting")][:SHOWN]

    @property
    def more(self) -> int:
        """Count those that would be told of and are not."""
        return max(0, len(self.of("refused", "warned", "waiting")) - SHOWN)

    @property
    def fine(self) -> list[Verdict]:
        """Give those that have nothing to say."""
        return self.of("fine")

    @property
    def away(self) -> list[Verdict]:
        """Give those that could not be asked."""
        return self.of("away")

    @property
    def objections(self) -> list[Verdict]:
        """Give those without whose consent publishing takes a second question."""
        return self.of("refused", "waiting")

    @property
    def is_late(self) -> bool:
        """Tell whether those that have not answered had their time."""
        return self.asked_at is not None and timezone.now() - self.asked_at > PATIENCE

    @property
    def is_settled(self) -> bool:
        """Tell whether there is nothing to wait for."""
        return self.asked_at is not None and (self.is_late or not self.of("waiting"))


def verdicts(now: Draft, destinations: Iterable[Destination]) -> Verdicts:
    """Say what nodes answered about the draft, which can be published."""
    assert now.snapshot is not None
    candidate = queries.candidate()
    if candidate is not None and candidate.digest != now.snapshot.digest():
        candidate = None
    number = candidate.pk if candidate else 0
    return Verdicts(
        candidate.asked_at if candidate else None,
        [_verdict(now, number, one) for one in destinations],
    )


def current(now: Draft) -> Verdicts:
    """Say it for every node there is."""
    return verdicts(now, registry.destinations())


def _verdict(now: Draft, number: int, node: Destination) -> Verdict:
    if not node.is_connected:
        return Verdict(node, "away")
    if node.answer is None or node.answer.candidate != number or not number:
        return Verdict(node, "waiting")
    problems, warnings = (
        _located(now, node.group, found) for found in (node.answer.problems, node.answer.warnings)
    )
    state: State = "refused" if problems else "warned" if warnings else "fine"
    return Verdict(node, state, problems, warnings)


def _located(now: Draft, group: str, problems: Iterable[Problem]) -> list[DraftProblem]:
    """Find what a node means, which was asked about its part only."""
    assert now.snapshot is not None
    groups = [server.groups for server in now.snapshot.servers]
    return [
        draft.locate(Problem(path_in_whole(one.path, groups, group), one.message), now.origins)
        for one in problems
    ]
