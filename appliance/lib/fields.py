"""Model and form fields shared by the apps: secrets at rest, and lists of words."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.query_utils import DeferredAttribute

from appliance.lib import vault
from proxycore.contract.secret import Secret


class Unreadable(Secret):
    """A stored secret that none of our keys fits: the key file is not the one it was written with.

    The row can be read and written; the secret stays as it is, for when the key is back.
    """

    __slots__ = ()

    def reveal(self) -> str:
        """Refuse. Raises vault.Undecryptable."""
        return vault.decrypt(self._value)

    @property
    def token(self) -> str:
        """What is stored, encrypted."""
        return self._value


class SecretFormField(forms.CharField):
    """Take a secret and never show one. Left blank, the stored secret stays."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("strip", False)
        options.setdefault("widget", forms.PasswordInput(attrs={"autocomplete": "new-password"}))
        super().__init__(**options)

    def prepare_value(self, value: Any) -> str:
        """Show nothing, also after an error."""
        return ""

    def clean(self, value: Any) -> Any:
        """Give a Secret, or None for "as it is"."""
        text = super().clean(value)
        return Secret(text) if text else None

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Only something typed is a change."""
        return bool(data)


class SecretAttribute(DeferredAttribute):
    """Wraps what is assigned, so that a secret is masked from the beginning."""

    def __set__(self, instance: models.Model, value: Any) -> None:
        name = self.field.attname
        instance.__dict__[name] = Secret(value) if isinstance(value, str) else value


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text that is encrypted in the database and a masked ``Secret`` in Python.

    It cannot be searched: equal secrets have different tokens.
    """

    descriptor_class = SecretAttribute

    def get_prep_value(self, value: Any) -> Any:
        """Encrypt on the way to the database."""
        if value is None or value == "":
            return value
        if isinstance(value, Unreadable):
            return value.token
        text = value.reveal() if isinstance(value, Secret) else str(value)
        return vault.encrypt(text) if text else ""

    def from_db_value(
        self, value: str | None, expression: Any, connection: BaseDatabaseWrapper
    ) -> Secret | None:
        """Decrypt on the way out; what cannot be read is told apart, and raises when revealed."""
        if value is None:
            return None
        try:
            return Secret(vault.decrypt(value) if value else "")
        except vault.Undecryptable:
            return Unreadable(value)

    def to_python(self, value: Any) -> Any:
        """Wrap what a program assigned."""
        return Secret(value) if isinstance(value, str) else value

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        """Refuse an empty secret where one is needed."""
        if not self.blank and not value:
            raise ValidationError(self.error_messages["blank"], code="blank")

    def save_form_data(self, instance: models.Model, data: Any) -> None:
        """Keep the stored secret when the form was left blank."""
        if data is not None:
            setattr(instance, self.name, data)

    def formfield(self, **options: Any) -> Any:
        """Give the form field that shows nothing."""
        options.pop("form_class", None)
        options.pop("max_length", None)
        return super(models.TextField, self).formfield(form_class=SecretFormField, **options)

    def value_to_string(self, obj: models.Model) -> str:
        """Write a token, never the secret, into a serialised dump."""
        token: str = self.get_prep_value(self.value_from_object(obj)) or ""
        return token


class WordsFormField(forms.CharField):
    """Take words separated by blanks or commas."""

    def prepare_value(self, value: Any) -> Any:
        """Show the words with blanks between them."""
        return " ".join(value) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        """Give the list of words."""
        return (super().to_python(value) or "").replace(",", " ").split()

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare words, not spelling."""
        words: list[str] = self.to_python(data)
        return list(initial or []) != words


class WordsField(models.JSONField):
    """A list of words, for instance the names of a server."""

    def formfield(self, **options: Any) -> Any:
        """Give a text input; with ``choices`` in the form, pass another form class."""
        options.pop("encoder", None)
        options.pop("decoder", None)
        chosen = {"form_class": WordsFormField, **options}
        return super(models.JSONField, self).formfield(**chosen)


class PairsFormField(forms.CharField):
    """Take lines of ``name = value``, and give names and values in turn."""

    def prepare_value(self, value: Any) -> Any:
        """Show one pair on each line."""
        if not isinstance(value, list | tuple):
            return value
        pairs = zip(value[::2], value[1::2], strict=False)
        return "\n".join(f"{name} = {text}" for name, text in pairs)

    def to_python(self, value: Any) -> Any:
        """Give names and values in turn. Raises ValidationError for a line without ``=``."""
        found: list[str] = []
        for line in (super().to_python(value) or "").splitlines():
            name, equals, text = (part.strip() for part in line.partition("="))
            if name and not equals:
                raise ValidationError(f"“{name}” is no name = value.")
            found += [name, text] if name else []
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare pairs, not spelling."""
        try:
            pairs: list[str] = self.to_python(data)
        except ValidationError:
            return True
        return list(initial or []) != pairs


class PairsField(models.JSONField):
    """Names and values, kept as one list with them in turn."""

    def formfield(self, **options: Any) -> Any:
        """Give a textarea with one pair on each line."""
        options.pop("encoder", None)
        options.pop("decoder", None)
        chosen = {"form_class": PairsFormField, **options}
        return super(models.JSONField, self).formfield(**chosen)
