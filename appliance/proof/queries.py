"""Read what was seen: by node and listener for the page, by fingerprint for a certificate."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Final

from django.db.models import Q

from appliance.certs.models import CertificateVersion
from appliance.fleet.models import Node
from appliance.proof.choices import TONES, Verdict
from appliance.proof.models import Round, Sighting
from appliance.publish import queries as publish

_ORDER: Final = (
    Verdict.OTHER,
    Verdict.FAILED,
    Verdict.UNKNOWN,
    Verdict.HIDDEN,
    Verdict.SERVED,
)
"""The worst first."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is shown to clients alike: sightings of one listener that say the same."""

    sightings: tuple[Sighting, ...]

    @property
    def one(self) -> Sighting:
        """Give the one that stands for all."""
        return self.sightings[0]

    @property
    def verdict(self) -> str:
        """Give it in a word or two."""
        return str(self.one.get_verdict_display())

    @property
    def tone(self) -> str:
        """Give the colour."""
        return TONES[self.one.verdict]

    @property
    def since(self) -> datetime:
        """Give since when all of them are so."""
        return max(one.since for one in self.sightings)

    @property
    def connections(self) -> int:
        """Count the connections of the last look."""
        return sum(one.connections for one in self.sightings)

    @property
    def names(self) -> str:
        """Say what clients asked for."""
        asked = list(dict.fromkeys(one.name or "no name" for one in self.sightings))
        more = f" and {len(asked) - 4} more" if len(asked) > 4 else ""
        return ", ".join(asked[:4]) + more


@dataclass(frozen=True, slots=True)
class Door:
    """One listener."""

    listener: str
    rows: tuple[Row, ...]

    @property
    def one(self) -> Sighting:
        """Give any of its sightings: they have the listener in common."""
        return self.rows[0].one

    @property
    def way(self) -> str:
        """Say which protocol, and how TLS begins."""
        if self.one.is_implicit:
            return f"{self.one.protocol.upper()}S"
        return f"{self.one.protocol.upper()} with {_START[self.one.protocol]}"

    @property
    def tone(self) -> str:
        """Give the colour of the worst."""
        return TONES[_worst(row.one.verdict for row in self.rows)]


_START: Final = {"imap": "STARTTLS", "pop3": "STLS", "smtp": "STARTTLS"}


@dataclass(frozen=True, slots=True)
class Place:
    """One node."""

    node: Node
    last: Round | None
    doors: tuple[Door, ...]
    published: int

    @property
    def count(self) -> int:
        """Count its listeners."""
        return len(self.doors)

    @property
    def is_behind(self) -> bool:
        """Tell whether it runs another revision than the published one."""
        return self.node.applied_revision != self.published

    @property
    def words(self) -> str:
        """Say what is to be said of all of it."""
        return self.last.words if self.last else ""

    @property
    def label(self) -> str:
        """Say how it stands, in a few words."""
        bad = [door for door in self.doors if door.tone in ("danger", "warning")]
        if not self.doors:
            return "not looked at yet" if self.last is None or not self.last.looked_at else "no TLS"
        if not bad:
            return "as published"
        return f"{len(bad)} of {len(self.doors)} listeners not as published"

    @property
    def tone(self) -> str:
        """Give the colour of the worst listener."""
        tones = {door.tone for door in self.doors}
        return next((tone for tone in ("danger", "warning", "success") if tone in tones), "info")


@dataclass(frozen=True, slots=True)
class Known:
    """A certificate of ours that a fingerprint belongs to."""

    pk: int
    name: str
    is_current: bool
    """What is stored now, not what was before."""


@dataclass(frozen=True, slots=True)
class Sum:
    """Everything in short."""

    places: tuple[Place, ...]
    known: Mapping[str, Known] = field(default_factory=dict)
    """By fingerprint."""

    @property
    def doors(self) -> tuple[Door, ...]:
        """Give all listeners."""
        return tuple(door for place in self.places for door in place.doors)

    @property
    def other(self) -> int:
        """Count listeners that serve something else."""
        return sum(door.tone == "danger" for door in self.doors)

    @property
    def failed(self) -> int:
        """Count listeners that do not answer."""
        return sum(door.tone == "warning" for door in self.doors)

    @property
    def tone(self) -> str:
        """Give the colour."""
        if self.other:
            return "danger"
        return "warning" if self.failed else "success" if self.doors else "info"


def everything() -> Sum:
    """Give all nodes with what was seen there."""
    current = publish.current()
    published = current.number if current else 0
    nodes = Node.objects.filter(revoked_at=None)
    seen: dict[int, list[Sighting]] = {}
    for one in Sighting.objects.all():
        seen.setdefault(one.node_id, []).append(one)
    rounds = {it.node_id: it for it in Round.objects.all()}
    places = tuple(
        Place(node, rounds.get(node.pk), _doors(seen.get(node.pk, [])), published) for node in nodes
    )
    return Sum(places, _known())


def _known() -> dict[str, Known]:
    """Give which certificate each fingerprint that was seen or expected belongs to."""
    seen = set(Sighting.objects.values_list("seen", flat=True).distinct())
    seen |= set(Sighting.objects.values_list("expected", flat=True).distinct())
    rows = CertificateVersion.objects.filter(fingerprint__in=seen).order_by("pk")
    return {
        found: Known(pk, name, found == now)
        for found, pk, name, now in rows.values_list(
            "fingerprint", "certificate", "certificate__name", "certificate__fingerprint"
        )
    }


def of_certificate(fingerprint: str) -> Sum:
    """Give where a certificate is served, or should be."""
    rows = Sighting.objects.filter(Q(seen=fingerprint) | Q(expected=fingerprint))
    by_node = groupby(rows.select_related("node"), key=lambda one: one.node)
    return Sum(tuple(Place(node, None, _doors(list(found)), 0) for node, found in by_node))


def bad_count() -> int:
    """Count what is not as published, for the sidebar."""
    bad = Sighting.objects.filter(verdict=Verdict.OTHER, node__revoked_at=None)
    return bad.values("node", "listener").distinct().count()


def _doors(sightings: Sequence[Sighting]) -> tuple[Door, ...]:
    by_door = groupby(sightings, key=lambda one: one.listener)
    return tuple(Door(listener, _rows(list(found))) for listener, found in by_door)


def _rows(sightings: Iterable[Sighting]) -> tuple[Row, ...]:
    alike: dict[tuple[str, ...], list[Sighting]] = {}
    for one in sightings:
        key = (one.kind, one.verdict, one.expected, one.seen, one.words)
        alike.setdefault(key, []).append(one)
    rows = [Row(tuple(found)) for found in alike.values()]
    return tuple(sorted(rows, key=lambda row: _ORDER.index(Verdict(row.one.verdict))))


def _worst(verdicts: Iterable[str]) -> str:
    found = set(verdicts)
    return next((str(verdict) for verdict in _ORDER if verdict in found), Verdict.SERVED)
