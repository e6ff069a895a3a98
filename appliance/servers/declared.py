"""Model fields made from the contract's declarations: default, limits and help are said once.

Help and limits are no part of the tables, so migrations see plain fields: a word changed in the
contract must not need one.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.text import capfirst
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextareaWidget

from appliance.lib.fields import PairsField, WordsField
from proxycore.contract.fields import Setting, settings_of
from proxycore.nginxconf.table import BY_NAME

_UNITS = {"ms": "Milliseconds.", "bytes": "Bytes."}
_SPELT = {
    word: word.upper()
    for word in ("imap", "pop3", "smtp", "http", "ttl", "xclient", "ssl", "crl", "id", "starttls")
}
_QUOTED = re.compile(r"`([^`]+)`")
"""As the reference pages write what is to be typed; a form has no such letters."""
_AS_DATA = "a path, or `data:` and PEM text"
_AS_TEXT = "PEM text, or the path of a file on every node"
_HOUR_MS = 3_600_000
_MAX_INTEGER = 2_147_483_647
_NOT_STORED = ("help_text", "validators", "verbose_name", "choices")


def _as_plain(kind: str, deconstructed: tuple[Any, ...]) -> tuple[str, str, list[Any], Any]:
    name, _, arguments, options = deconstructed
    stored = {key: value for key, value in options.items() if key not in _NOT_STORED}
    return name, f"django.db.models.{kind}", arguments, stored


class NumberField(models.PositiveIntegerField):  # type: ignore[type-arg]
    """A whole-number setting."""

    low = 0
    high = _MAX_INTEGER

    def formfield(self, **options: Any) -> Any:
        """Give an input that says the whole range at once, whichever end is missed."""
        wrong = range_of(self.low, self.high)
        messages = {"min_value": wrong, "max_value": wrong, "invalid": wrong}
        found = super().formfield(
            **{"min_value": self.low, "max_value": self.high, "error_messages": messages, **options}
        )
        for validator in getattr(found, "validators", ()):
            if isinstance(validator, MinValueValidator | MaxValueValidator):
                validator.message = wrong
        return found

    def deconstruct(self) -> Any:
        """Look like a plain field to migrations."""
        return _as_plain("PositiveIntegerField", super().deconstruct())


class SwitchField(models.BooleanField):  # type: ignore[type-arg]
    """An on/off setting."""

    def deconstruct(self) -> Any:
        """Look like a plain field to migrations."""
        return _as_plain("BooleanField", super().deconstruct())


class LineField(models.CharField):  # type: ignore[type-arg]
    """A setting of one line."""

    def deconstruct(self) -> Any:
        """Look like a plain field to migrations."""
        return _as_plain("CharField", super().deconstruct())


def _few_lines() -> UnfoldAdminTextareaWidget:
    return UnfoldAdminTextareaWidget(attrs={"rows": 3, "spellcheck": "false"})


class MaterialField(models.TextField):  # type: ignore[type-arg]
    """PEM text, or the path of a file that the nodes have."""

    def formfield(self, **options: Any) -> Any:
        """Give a few lines of room; the text is pasted, not read."""
        return super().formfield(**options | {"widget": _few_lines()})

    def deconstruct(self) -> Any:
        """Look like a plain field to migrations."""
        return _as_plain("TextField", super().deconstruct())


class PairListField(PairsField):
    """A setting that is a list of names with values."""

    def formfield(self, **options: Any) -> Any:
        """Give a few lines of room."""
        return super().formfield(**options | {"widget": _few_lines()})

    def deconstruct(self) -> Any:
        """Look like a plain field to migrations."""
        name, _, arguments, options = _as_plain("", super().deconstruct())
        return name, "appliance.lib.fields.PairsField", arguments, options


class WordListField(WordsField):
    """A setting that is a list of words; boxes to tick where they are chosen from a few."""

    words: tuple[str, ...] = ()

    def formfield(self, **options: Any) -> Any:
        """Give the boxes, or one line for the words."""
        if not self.words:
            return super().formfield(**options)
        return forms.MultipleChoiceField(
            choices=[(word, word) for word in self.words],
            required=False,
            widget=UnfoldAdminCheckboxSelectMultipleWidget(),
            label=options.get("label", capfirst(str(self.verbose_name))),
            help_text=self.help_text,
            initial=self.get_default(),
        )

    def deconstruct(self) -> Any:
        """Look like a plain field to migrations."""
        name, _, arguments, options = _as_plain("", super().deconstruct())
        return name, "appliance.lib.fields.WordsField", arguments, options


def number(contract: type, name: str, label: str = "") -> NumberField:
    """Make the field of a whole-number setting; ``label`` where the bare name says too little."""
    declared = settings_of(contract)[name]
    low = declared.minimum or 0
    high = _MAX_INTEGER if declared.maximum is None else declared.maximum
    options: dict[str, Any] = {
        "default": default_of(contract, name),
        "help_text": f"{help_of(declared)}{_usual(declared, default_of(contract, name))}",
    }
    field = NumberField(label_of(label or name), **options)
    field.low, field.high = low, high
    return field


def label_of(name: str) -> str:
    """Give a setting's name for people; its help has nginx's word for it."""
    words = name.split("_")
    unit = f" ({words.pop()})" if words[-1] in ("ms", "bytes") else ""
    return " ".join(_SPELT.get(word, word) for word in words) + unit


def _usual(declared: Setting, default: Any) -> str:
    """Say a default of hours or seconds in these."""
    if declared.unit != "ms" or not isinstance(default, int) or default < 1000:
        return ""
    if default % _HOUR_MS == 0:
        return f" Usual: {default} ({default // _HOUR_MS} h)."
    return f" Usual: {default} ({default // 1000} s)."


def range_of(low: int, high: int) -> str:
    """Say which numbers are taken."""
    if high >= _MAX_INTEGER:
        return f"Give a whole number, {low} or more."
    return f"Give a whole number from {low} to {high}."


def switch(contract: type, name: str, label: str = "") -> SwitchField:
    """Make the field of an on/off setting; ``label`` where the bare name says too little."""
    return SwitchField(
        label_of(label or name),
        default=default_of(contract, name),
        help_text=help_of(settings_of(contract)[name]),
    )


def words(contract: type, name: str, more: str = "", label: str = "") -> WordListField:
    """Make the field of a setting that is a list of words; ``more`` stands behind its help."""
    declared = settings_of(contract)[name]
    help_text = help_of(declared)
    field = WordListField(
        label_of(label or name),
        default=list_default(contract, name),
        blank=True,
        help_text=f"{help_text} {more}".strip(),
    )
    field.words = declared.choices
    return field


def line(contract: type, name: str, **options: Any) -> LineField:
    """Make the field of a setting that is one line of text."""
    declared = settings_of(contract)[name]
    if declared.max_length:
        options.setdefault("max_length", declared.max_length)
    options.setdefault("help_text", help_of(declared))
    options.setdefault("verbose_name", label_of(name))
    return LineField(**options)


def choice(contract: type, name: str, labels: Mapping[str, str] | None = None) -> LineField:
    """Make the field of a setting that is one of a few words. ``labels``: what each means."""
    declared = settings_of(contract)[name]
    return LineField(
        label_of(name),
        max_length=max(map(len, declared.choices)),
        choices=[(word, (labels or {}).get(word, word)) for word in declared.choices],
        default=default_of(contract, name),
        help_text=help_of(declared),
    )


def material(contract: type, name: str) -> MaterialField:
    """Make the field of a setting whose content or path can be given."""
    help_text = help_of(settings_of(contract)[name]).replace(_AS_DATA, _AS_TEXT)
    return MaterialField(label_of(name), blank=True, default="", help_text=help_text)


def pairs(contract: type, name: str, example: str) -> PairListField:
    """Make the field of a setting that is a list of names with values."""
    help_text = f"{help_of(settings_of(contract)[name])} One on each line, for instance {example}."
    return PairListField(label_of(name), default=list, blank=True, help_text=help_text)


def form_of(contract: type, name: str) -> RegexValidator:
    """Give a check of a setting's form, for rows that nothing else checks."""
    declared = settings_of(contract)[name]
    return RegexValidator(
        rf"\A(?:{declared.pattern})\Z", f"Must be {declared.allowed or 'in an allowed form'}."
    )


def default_of(contract: type, name: str) -> Any:
    """Give a setting's default."""
    return next(field.default for field in dataclasses.fields(contract) if field.name == name)


def list_default(contract: type, name: str) -> "ListDefault":
    """Give a callable that makes a new list of the setting's default words."""
    return ListDefault(list(default_of(contract, name)))


def help_of(declared: Setting) -> str:
    """Give a setting's help with its unit, range and directive."""
    parts = (declared.help, _UNITS.get(declared.unit, ""), _whose(declared.directive))
    return _QUOTED.sub(r"“\1”", " ".join(part for part in parts if part))


def _whose(directive: str) -> str:
    """Name the directive of nginx.conf, as nginx's only where nginx has it."""
    if not directive:
        return ""
    rows = BY_NAME.get(directive.split()[0], ())
    is_ours = bool(rows) and all(row.ours for row in rows)
    return f"{'In nginx.conf, ours' if is_ours else 'nginx'}: {directive}."


class ListDefault:
    """A default that is a new list each time, in a form that migrations can write."""

    def __init__(self, items: list[str]) -> None:
        self.items = items

    def __call__(self) -> list[str]:
        return list(self.items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ListDefault) and other.items == self.items

    def __hash__(self) -> int:
        return hash(tuple(self.items))

    def deconstruct(self) -> tuple[str, tuple[list[str]], dict[str, Any]]:
        """Say to a migration how to make this again."""
        return ("appliance.servers.declared.ListDefault", (self.items,), {})
