"""Everything that writes the audit trail."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Model, QuerySet
from django.utils import timezone

from appliance.audit import actors
from appliance.audit.choices import Action
from appliance.audit.models import Entry
from appliance.audit.values import Change
from appliance.lib.text import storable

_FORGOTTEN_AT_ONCE: Final = 5_000

_sum: Final[ContextVar["Counter[tuple[str, str]] | None"]] = ContextVar("audit_sum", default=None)


def record(  # noqa: PLR0913  (who, what, about what, and in which words)
    action: Action,
    about: Model | None = None,
    *,
    changes: Sequence[Change] = (),
    text: str = "",
    name: str = "",
    owner: Model | None = None,
    actor: actors.Actor | None = None,
) -> Entry | None:
    """Write down what was done, in the transaction it is done in.

    about: the object. While many are summed up (``as_one``) it is only counted; that gives None.
    name: what the object is called, unless that is its own text.
    owner: what the object is a part of.
    actor: who did it, unless it is who is at work.
    """
    counted = _sum.get()
    if counted is not None:
        plural = about._meta.verbose_name_plural if about is not None else "others"  # noqa: SLF001
        counted[str(plural), str(action.label)] += 1
        return None
    who = actor or actors.current()
    return Entry.objects.create(
        at=timezone.now(),
        actor_kind=who.kind,
        actor=storable(who.name, 150),
        address=who.address or None,
        action=action,
        kind=label_of(about) if about is not None else "",
        key=str(about.pk)[:64] if about is not None else "",
        name=storable(name or (str(about) if about is not None else ""), 300),
        owner_kind=label_of(owner) if owner is not None else "",
        owner_key=str(owner.pk)[:64] if owner is not None else "",
        changes=[list(one) for one in changes],
        text=storable(text, 500),
    )


@contextmanager
def as_one(
    action: Action, about: Model | None = None, *, text: str = "", name: str = ""
) -> Iterator[list[Change]]:
    """Write down as one entry, with counts, whatever is changed meanwhile.

    Gives a list: what is put into it is told instead of the counts.
    """
    counted: Counter[tuple[str, str]] = Counter()
    changes: list[Change] = []
    before = _sum.set(counted)
    try:
        yield changes
    finally:
        _sum.reset(before)
    said = [f"{number} {what} {done}" for (what, done), number in counted.items()]
    counts = "" if changes else ", ".join(said)
    note = ". ".join(filter(None, (text, counts)))
    record(action, about, text=note, name=name, changes=changes)


def exported(what: str, count: int | None = None, *, asked: Iterable[tuple[str, str]] = ()) -> None:
    """Write down that somebody takes data away, before the first octet of it leaves.

    what: its name, for instance ``accounts``.
    count: of lines; None for what has none.
    asked: the search that it was, as names and values.
    """
    said = [] if count is None else [f"{count} line{'' if count == 1 else 's'} as CSV"]
    said += [f"{name.replace('_', ' ')} {value}" for name, value in asked if value]
    if person := actors.at_the_shell():
        said.append(f"run by {person}")
    record(Action.EXPORTED, name=what, text=", ".join(said))


def label_of(one: Model | type[Model]) -> str:
    """Give how a model is named in the trail."""
    return one._meta.label_lower  # noqa: SLF001  (Django's documented interface to a model)


def forget(now: datetime, days: int | None = None) -> int:
    """Delete entries that are older than the retention, and say so in the trail; give how many.

    days: instead of ``POSTROAD_AUDIT_DAYS``; 0 keeps everything.
    """
    days = settings.AUDIT_DAYS if days is None else days
    if not days:
        return 0
    limit = now - timedelta(days=days)
    done = 0
    while keys := list(_older(limit).values_list("pk", flat=True)[:_FORGOTTEN_AT_ONCE]):
        done += _erase(keys)
    if done:
        record(Action.FORGOTTEN, text=f"{done} entries older than {days} days")
    return done


def _older(limit: datetime) -> "QuerySet[Entry]":
    return Entry.objects.filter(at__lt=limit).order_by()


def _erase(keys: Iterable[int]) -> int:
    # the one way out of the trail; the manager's own delete() refuses
    rows: QuerySet[Entry] = QuerySet(Entry)
    return rows.filter(pk__in=list(keys)).delete()[0]
