"""What each node saw of a mail host in the last minutes, beside what the appliance found."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from appliance.fleet.models import Node
from appliance.history import causes
from appliance.routing.choices import HealthState
from appliance.routing.health.policy import Standing
from appliance.stats import backends as stats
from appliance.stats import drawing
from appliance.stats.backends import Lately
from appliance.stats.charts import SECONDS

MOST: Final = 200
"""Rows on a page: those with trouble come first."""

_BREAKS: Final = "logins break"
_SOME: Final = "some logins break"
_THROUGH: Final = "logins come through"
_NONE: Final = "nobody tried"


@dataclass(frozen=True, slots=True)
class Sight:
    """One door, as a node sees it."""

    node: str
    link: int
    """Primary key of the node."""
    protocol: str = ""
    backend: str = ""
    """As nodes name it; empty: nobody tried."""
    lately: Lately = field(default_factory=Lately)

    @property
    def _rank(self) -> int:
        if not self.backend:
            return 3
        if not self.lately.broken:
            return 2
        return 0 if self.is_broken else 1

    @property
    def is_broken(self) -> bool:
        """Tell whether more logins break there than come through."""
        return self.lately.broken > self.lately.logins

    @property
    def verdict(self) -> str:
        """Say in some words what the node sees."""
        return (_BREAKS, _SOME, _THROUGH, _NONE)[self._rank]

    @property
    def tone(self) -> str:
        """Give its colour."""
        return ("danger", "warning", "success", "")[self._rank]

    @property
    def why(self) -> str:
        """Name the most frequent reason that is not the users' fault."""
        return causes.title(self.lately.worst) if self.lately.worst else ""

    @property
    def meaning(self) -> str:
        """Say what that means."""
        return causes.meaning(self.lately.worst) if self.lately.worst else ""

    @property
    def connect(self) -> str:
        """Say how long half and 95 of 100 connections took at most."""
        if self.lately.connect_p95_s is None:
            return "–"
        p50, p95 = self.lately.connect_p50_s, self.lately.connect_p95_s
        return f"{drawing.shown(p50, SECONDS)}, {drawing.shown(p95, SECONDS)}"


def by_nodes(doors: Mapping[str, tuple[str, str]], now: datetime) -> list[Sight]:
    """Give what the nodes saw at some doors, trouble first. Nodes at which nobody tried are told.

    doors: ``address:port`` to protocol and address.
    """
    counted = stats.lately_by_node(now)
    found = []
    for pk, name in Node.objects.filter(revoked_at=None).values_list("pk", "name"):
        of_node = counted.get(pk, {})
        sights = [
            Sight(name, pk, doors[backend][0], backend, of_node[backend])
            for backend in doors
            if backend in of_node
        ]
        found += sights or [Sight(name, pk)]
    return sorted(found, key=lambda one: (one._rank, one.node, one.protocol, one.backend))  # noqa: SLF001  (its own)


def contrasts(standings: Iterable[Standing], sights: Iterable[Sight]) -> list[str]:
    """Say where the appliance and nodes see different things."""
    sights = list(sights)
    found = []
    for one in standings:
        name = one.protocol.upper()
        mine = [sight for sight in sights if sight.protocol == one.protocol]
        through = {sight.node for sight in mine if sight.lately.logins}
        without = {sight.node for sight in mine if sight.is_broken} - through
        if one.state is HealthState.UP and without:
            found.append(
                f"{name}: the appliance reaches it, but {_listed(without)}"
                f" {'do' if len(without) > 1 else 'does'} not. Look at the network between."
            )
        elif one.state is not HealthState.UP and through:
            found.append(
                f"{name}: the appliance does not reach it, but logins come through at"
                f" {_listed(through)}. Look at the network between appliance and mail host."
            )
    return found


def _listed(nodes: Iterable[str]) -> str:
    names = sorted(nodes)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{'nodes' if len(names) > 1 else 'node'} {', '.join(names[:3])}{more}"
