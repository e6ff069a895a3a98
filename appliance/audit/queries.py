"""What the audit trail says."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Model, Q, QuerySet
from django.urls import NoReverseMatch, reverse

from appliance.audit.choices import Action
from appliance.audit.models import Entry
from appliance.audit.services import label_of as label_of
from appliance.audit.watched import WATCHED

CSV_COLUMNS: Final = (
    *("when", "who", "kind of who", "from", "action", "kind of object", "key", "object"),
    *("field", "before", "after", "note"),
)
SHOWN_OF_AN_OBJECT: Final = 500
"""Newest entries of an object that its page shows."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where an object is in the admin."""

    url: str
    text: str


def of_object(one: Model) -> "QuerySet[Entry]":
    """Give what happened to an object and to its parts."""
    return of(label_of(one), str(one.pk))


def of(kind: str, key: str) -> "QuerySet[Entry]":
    """Give what happened to the object of that kind with that key, and to its parts."""
    return Entry.objects.filter(Q(kind=kind, key=key) | Q(owner_kind=kind, owner_key=key))


def kinds() -> list[tuple[str, str]]:
    """Give the kinds of objects that can be in the trail, by name."""
    return sorted(((label, kind_name(label)) for label in WATCHED), key=lambda one: one[1])


def kind_name(label: str) -> str:
    """Give what a kind of object is called."""
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        return label
    return str(model._meta.verbose_name)  # noqa: SLF001  (documented interface)


def link(entry: Entry, user: User | AnonymousUser) -> Link | None:
    """Say where the object of an entry is, or what it is a part of, if the reader may go there."""
    if entry.kind and entry.action != Action.DELETED and (url := _url(entry.kind, entry.key, user)):
        return Link(url, entry.name)
    if entry.owner_kind and (url := _url(entry.owner_kind, entry.owner_key, user)):
        return Link(url, entry.name)
    return None


def _url(kind: str, key: str, user: User | AnonymousUser) -> str:
    app, _, name = kind.partition(".")
    try:
        if apps.get_model(kind) not in admin.site._registry:  # noqa: SLF001  (no public way)
            return ""
        if not (user.has_perm(f"{app}.view_{name}") or user.has_perm(f"{app}.change_{name}")):
            return ""
        return reverse(f"admin:{app}_{name}_change", args=[key])
    except (LookupError, NoReverseMatch):
        return ""


def lines(entries: Iterable[Entry]) -> Iterator[list[str]]:
    """Give entries as a table's lines, one for each field that changed."""
    yield list(CSV_COLUMNS)
    for entry in entries:
        start = [
            entry.at.astimezone(UTC).isoformat(timespec="seconds"),
            entry.actor,
            str(entry.get_actor_kind_display()),
            entry.address or "",
            str(entry.get_action_display()),
            entry.kind,
            entry.key,
            entry.name,
        ]
        changes: list[Any] = entry.changes or [["", "", ""]]
        for field, before, after in changes:
            yield [*start, field, before, after, entry.text]
