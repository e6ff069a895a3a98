"""The audit trail in the admin: searched, read, exported, never changed."""

import csv
from collections.abc import Iterator
from typing import Any, Final

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from appliance.audit import queries, services
from appliance.audit.choices import Action, ActorKind
from appliance.audit.models import Entry
from appliance.lib.admin import PostroadAdmin, display
from appliance.lib.recorded import register_history
from appliance.lib.text import inert_cell

EXPORTED_AT_MOST: Final = 100_000

_GOOD: Final = (Action.ADDED, Action.PUBLISHED, Action.SIGNED_IN, Action.UNLOCKED)
_BAD: Final = (Action.DELETED, Action.SIGN_IN_FAILED, Action.LOCKED_OUT, Action.DISCONNECTED)
_SHOWN_CHANGES: Final = 2
_SHOWN_CHARS: Final = 60

TONES: Final = {
    str(one.label): "success" if one in _GOOD else "danger" if one in _BAD else "info"
    for one in Action
}


class KindFilter(SimpleListFilter):
    """What it is about; the parts of a thing with the thing."""

    title = "kind of object"
    parameter_name = "about"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Give the kinds there are."""
        return queries.kinds()

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        """Keep those of the kind."""
        kind = self.value()
        if not kind:
            return queryset
        return queryset.filter(Q(kind=kind) | Q(owner_kind=kind))


@admin.register(Entry)
class EntryAdmin(PostroadAdmin):
    """Who did what."""

    empty_text = "Here stands who changed what, when and from where."
    list_display = (
        "show_when",
        "show_actor",
        "show_address",
        "show_action",
        "show_object",
        "show_changes",
    )
    list_display_links = ("show_when",)
    list_filter = (("at", admin.DateFieldListFilter), "action", KindFilter, "actor_kind")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("actor", "name", "text", "address")
    search_help_text = "Who, from which address, or what it is about"
    list_before_template = "audit/list_help.html"
    change_form_template = "audit/entry.html"
    actions = None

    # --- what may be done -------------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    # --- columns ----------------------------------------------------------------------------------

    @display(description="When", ordering="pk")
    def show_when(self, entry: Entry) -> str:
        """Give date and time to the second."""
        return f"{timezone.localtime(entry.at):%Y-%m-%d %H:%M:%S}"

    @display(description="Who", ordering="actor")
    def show_actor(self, entry: Entry) -> str:
        """Name the person, command or task."""
        return who(entry)

    @display(description="From", empty_value="–")
    def show_address(self, entry: Entry) -> str | None:
        """Give the address."""
        return entry.address

    @display(description="What", label=TONES)
    def show_action(self, entry: Entry) -> str:
        """Give what happened as a label."""
        return str(entry.get_action_display())

    @display(description="Object")
    def show_object(self, entry: Entry) -> SafeString | str:
        """Name the object and what kind of thing it is."""
        if not entry.kind:
            return entry.name
        kind = queries.kind_name(entry.kind)
        return format_html('{} <span class="pr-faint">{}</span>', entry.name, kind)

    @display(description="Changes")
    def show_changes(self, entry: Entry) -> SafeString | str:
        """Give the first changes, or the note."""
        note = [entry.text] if entry.text else []
        said = [_short(one) for one in entry.changes[:_SHOWN_CHANGES]]
        more = len(entry.changes) - _SHOWN_CHANGES
        return "; ".join([*note, *said, *([f"{more} more"] if more > 0 else [])])

    # --- pages ------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Add the export."""
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/", view, name="audit_entry_export"), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list with the way to its export."""
        context = {
            "title": "Audit trail",
            "query": request.GET.urlencode(),
            **(extra_context or {}),
        }
        response: HttpResponse = super().changelist_view(request, context)
        return response

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one entry."""
        entry = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if entry is not None:
            context |= {
                "entry": entry,
                "title": str(entry.get_action_display()).capitalize(),
                "who": who(entry),
                "tone": TONES[str(entry.get_action_display())],
                "kind": queries.kind_name(entry.kind) if entry.kind else "",
                "link": queries.link(entry, request.user),
            }
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def export_view(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        """Give what the list shows as a CSV file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = self.get_changelist_instance(request).get_queryset(request)[:EXPORTED_AT_MOST]
        services.exported("audit trail", rows.count(), asked=sorted(request.GET.dict().items()))
        answer = StreamingHttpResponse(_csv(rows), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = 'attachment; filename="audit-trail.csv"'
        return answer


def who(entry: Entry) -> str:
    """Name who did it."""
    if entry.actor_kind == ActorKind.STRANGER:
        return str(ActorKind.STRANGER.label)
    if entry.actor_kind == ActorKind.TASK:
        return f"task {entry.actor}"
    return entry.actor


def history_page(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """Show what happened to one object and its parts, changes included."""
    one = model_admin.get_object(request, object_id)
    label = queries.label_of(model_admin.model)
    entries = queries.of_object(one) if one is not None else queries.of(label, object_id)
    shown = list(entries[: queries.SHOWN_OF_AN_OBJECT])
    name = str(one) if one is not None else shown[0].name if shown else object_id
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"History of {name}",
        "opts": model_admin.opts,
        "object": one,
        "rows": [
            {"entry": entry, "who": who(entry), "tone": TONES[str(entry.get_action_display())]}
            for entry in shown
        ],
        "own_kind": label,
        "most": queries.SHOWN_OF_AN_OBJECT,
        "may_view_address": request.user.has_perm("audit.view_entry"),
    }
    return TemplateResponse(request, "audit/history.html", context)


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        """Give it back."""
        return text


def _csv(entries: "QuerySet[Entry]") -> Iterator[str]:
    writer: Any = csv.writer(_Echo())
    for line in queries.lines(entries):
        yield writer.writerow([inert_cell(cell) for cell in line])


def _cut(value: str) -> str:
    return value if len(value) <= _SHOWN_CHARS else f"{value[:_SHOWN_CHARS]}…"


def _short(change: list[str]) -> str:
    field, *values = change
    before, after = (_cut(one) for one in values)
    if not before:
        return f"{field}: {after}"
    return f"{field}: {before} → {after or 'none'}"


register_history(history_page)
