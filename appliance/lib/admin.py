"""What every admin page of ours shares: unfold's looks, and writing through services only."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display as unfold_display
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from appliance.lib import read_only
from appliance.lib import staff as staff  # registers the pages of users and groups
from appliance.lib.fields import EncryptedTextField, PairsField, SecretFormField, WordsField
from appliance.lib.recorded import Recorded

_Method = TypeVar("_Method", bound=Callable[..., Any])


def display(**options: Any) -> Callable[[_Method], _Method]:
    """Describe a column of a list: unfold's decorator, with types."""
    decorate: Callable[[_Method], _Method] = unfold_display(**options)
    return decorate


_WIDGETS = {
    EncryptedTextField: {"widget": UnfoldAdminPasswordWidget},
    WordsField: {"widget": UnfoldAdminTextInputWidget},
    PairsField: {"widget": UnfoldAdminTextareaWidget},
}


class SecretModelForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form whose secrets are asked for once and later only replaced."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name, field in self.fields.items():
            if isinstance(field, SecretFormField) and getattr(self.instance, name, None):
                field.required = False
                field.widget.attrs["placeholder"] = "unchanged"
                field.help_text = f"{field.help_text} Leave blank to keep the present one.".strip()

    def check_with(self, check: Callable[[Any], None]) -> None:
        """Let a service check the object as the form would make it, errors at their fields."""
        try:
            check(self.instance)
        except ValidationError as fault:
            # a field that is wrong already is not complained about twice
            for name, errors in fault.error_dict.items():
                if name not in self.errors:
                    self.add_error(name, errors)


class PostroadAdmin(Recorded, ModelAdmin):  # type: ignore[misc]
    """An admin page that parses, calls a service and renders.

    An app gives ``store`` and ``remove``; nothing here writes on its own.
    """

    form = SecretModelForm
    formfield_overrides = _WIDGETS
    compressed_fields = True
    warn_unsaved_form = True
    list_fullwidth = True
    conditional_fields: Mapping[str, str] = MappingProxyType({})
    """By field, the expression over others on which it is shown."""

    def store(self, obj: Any, form: Any) -> None:
        """Write one object by its service."""
        raise NotImplementedError

    def remove(self, objects: Iterable[Any]) -> None:
        """Delete objects by their service."""
        raise NotImplementedError

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        """Hand over to the service."""
        self.store(obj, form)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out what can only be typed in from the page of who may only look."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        return read_only.shown(fieldsets, self)

    def get_inline_formsets(
        self, request: HttpRequest, formsets: Any, inline_instances: Any, obj: Any = None
    ) -> list[Any]:
        """Leave out tables without a row from the page of who may add none."""
        tables = super().get_inline_formsets(request, formsets, inline_instances, obj)
        return [
            one
            for one in tables
            if one.formset.initial_form_count()
            or one.has_add_permission
            or one.has_change_permission
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *given: Any, **more: Any
    ) -> HttpResponse:
        """Tell the page's conditions the values that are in no input of the form."""
        form = context["adminform"].form
        context["fixed_values"] = read_only.values_for(self.conditional_fields, form)
        response: HttpResponse = super().render_change_form(request, context, *given, **more)
        return response

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        """Hand over to the service."""
        self.remove([obj])

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> None:
        """Hand over to the service."""
        self.remove(queryset)


class PostroadInline(TabularInline):  # type: ignore[misc]
    """Rows that are written together with the object they belong to."""

    form = SecretModelForm
    formfield_overrides = _WIDGETS
    extra = 0
