"""What a field said before and says now, in words, without its secrets."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from django.db.models import Field, ForeignKey, Model
from django.utils import timezone

from appliance.audit.watched import Watched
from appliance.lib.fields import EncryptedTextField
from appliance.lib.text import storable

Change = tuple[str, str, str]
"""Field, before, after."""

SET: Final = "set"
CHANGED: Final = "changed"
NONE: Final = ""

_MOST: Final = 300
"""Characters kept of one value."""


def cut(text: str) -> str:
    """Give as much of a value as is kept."""
    return storable(text, _MOST)


def fields_of(model: type[Model], watched: Watched) -> list["Field[Any, Any]"]:
    """Give the fields that are watched."""
    fields = model._meta.concrete_fields  # noqa: SLF001  (Django's documented interface)
    return [
        field
        for field in fields
        if not field.primary_key
        and field.name not in watched.ignored
        and field.name != watched.owner
        and not (watched.ignores_rest and field.name not in watched.ignores_rest)
        and not getattr(field, "auto_now", False)
        and not getattr(field, "auto_now_add", False)
    ]


def changes(before: Model, after: Model, watched: Watched) -> list[Change]:
    """Say what is different."""
    return list(_changes(before, after, watched))


def _changes(before: Model, after: Model, watched: Watched) -> Iterator[Change]:
    for field in fields_of(type(after), watched):
        was, now = before.__dict__.get(field.attname), after.__dict__.get(field.attname)
        if field.attname not in before.__dict__ or field.attname not in after.__dict__:
            continue  # deferred: not written
        if _same(field, was, now):
            continue
        if is_secret(field, watched):
            yield (
                str(field.verbose_name),
                SET if was else NONE,
                CHANGED if was and now else _is_set(now),
            )
        else:
            yield str(field.verbose_name), shown(before, field), shown(after, field)


def contents(one: Model, watched: Watched) -> list[tuple[str, str]]:
    """Say what of an object is not as it would be by itself."""
    found = []
    for field in fields_of(type(one), watched):
        if field.attname not in one.__dict__:
            continue
        value = one.__dict__[field.attname]
        if value in (None, "", [], {}) or (field.has_default() and value == field.get_default()):
            continue
        text = SET if is_secret(field, watched) else shown(one, field)
        if text:
            found.append((str(field.verbose_name), text))
    return found


def is_secret(field: "Field[Any, Any]", watched: Watched) -> bool:
    """Tell whether a value is never to be written down."""
    return isinstance(field, EncryptedTextField) or field.name in watched.secret


def shown(one: Model, field: "Field[Any, Any]") -> str:
    """Give a value as an operator reads it."""
    value = one.__dict__.get(field.attname)
    if value is None:
        return NONE
    if isinstance(field, ForeignKey):
        return cut(_referred(one, field, value))
    if field.choices:
        value = dict(field.flatchoices).get(value, value)
    return cut(_plain(value))


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{timezone.localtime(value):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def _referred(one: Model, field: "Field[Any, Any]", key: Any) -> str:
    target = field.related_model._base_manager.filter(pk=key).first()  # type: ignore[union-attr]  # noqa: SLF001
    return str(target) if target is not None else f"number {key}"


def _same(field: "Field[Any, Any]", was: Any, now: Any) -> bool:
    if was == now:
        return True
    # a form gives what it read, and a program may give a number as text
    try:
        return bool(field.to_python(was) == field.to_python(now))
    except Exception:  # noqa: BLE001  (a value that is no value of the field is a change)
        return False


def _is_set(value: Any) -> str:
    return SET if value else NONE
