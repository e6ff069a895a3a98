"""Forms as those see them who may look and change nothing."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Field
from django.forms import ModelForm

from appliance.lib.fields import EncryptedTextField

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")


def shown(fieldsets: Any, model_admin: Any) -> list[Any]:
    """Give fieldsets without the fields that are the form's alone, and of which nothing is known.

    A field of the form that has something to show has a method of its name in the admin class.
    """
    found = []
    for title, options in fieldsets:
        fields = tuple(_known(options["fields"], model_admin))
        if fields:
            found.append((title, {**options, "fields": fields}))
    return found


def _known(fields: Any, model_admin: Any) -> Iterator[Any]:
    for one in fields:
        if isinstance(one, str):
            if _field(model_admin.model, one) is not None or hasattr(model_admin, one):
                yield one
        elif line := tuple(_known(one, model_admin)):
            yield line


def values_for(conditions: Mapping[str, str], form: "ModelForm[Any]") -> str:
    """Give, as JSON, the values that conditions ask for and that no input of the form has.

    conditions: unfold's ``conditional_fields``. Empty when there are none.
    """
    instance = form.instance
    asked = {name for one in conditions.values() for name in _NAME.findall(one)}
    values = {}
    for name in sorted(asked - set(form.fields)):
        field = _field(type(instance), name)
        if field is not None and not isinstance(field, EncryptedTextField):
            values[name] = _as_input(instance.serializable_value(name))
    return json.dumps(values) if values else ""


def _field(model: Any, name: str) -> "Field[Any, Any] | None":
    try:
        found: Field[Any, Any] = model._meta.get_field(name)  # noqa: SLF001  (documented)
    except FieldDoesNotExist:
        return None
    return found


def _as_input(value: Any) -> Any:
    """Give a value as an input would have it."""
    if value is None or isinstance(value, bool):
        return "" if value is None else value
    return str(value)
