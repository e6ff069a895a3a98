"""The Publish page: what would change, the button, how it fares, and every earlier revision."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from unfold.admin import ModelAdmin

from appliance.lib.admin import display
from appliance.publish import queries, services
from appliance.publish.models import ConfigRevision
from proxycore.contract.codec import Invalid

PERMISSION = "publish.publish_configrevision"


@admin.register(ConfigRevision)
class ConfigRevisionAdmin(ModelAdmin):  # type: ignore[misc]
    """Revisions are published and rolled back, never edited."""

    list_display = ("show_number", "created_at", "author", "note", "show_state")
    list_select_related = ("author",)
    search_fields = ("note", "author__username")
    list_before_template = "publish/pending.html"
    list_fullwidth = True
    change_form_template = "publish/configrevision_detail.html"
    actions = None

    # --- what may be done -----------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Revisions come from the button."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Revisions are never edited."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Revisions are history."""
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave the documents where they are."""
        return super().get_queryset(request).defer("document")

    # --- pages ----------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Add the two buttons."""
        view = self.admin_site.admin_view
        return [
            path("publish/", view(self.publish_view), name="publish_publish"),
            path("<int:number>/roll-back/", view(self.roll_back_view), name="publish_roll_back"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what would change above the list."""
        active = queries.current()
        context = {
            "title": "Publish",
            "pending": queries.pending(),
            "active": active,
            "status_lines": queries.status_lines(active.number) if active else [],
            "may_publish": request.user.has_perm(PERMISSION),
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
        """Show what a revision changed."""
        revision = get_object_or_404(ConfigRevision, pk=object_id)
        context = {
            "title": str(revision),
            "revision": revision,
            "changes": queries.changes_of(revision),
            "may_publish": request.user.has_perm(PERMISSION),
            **(extra_context or {}),
        }
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Never the document."""
        return ("number", "created_at", "author", "note", "digest")

    @display(description="Revision", ordering="number")
    def show_number(self, revision: ConfigRevision) -> str:
        """Give the number."""
        return str(revision.number)

    @display(description="State", label={"active": "success"})
    def show_state(self, revision: ConfigRevision) -> str:
        """Say which one is active."""
        return "active" if revision.is_active else "earlier"

    # --- buttons --------------------------------------------------------------------------------

    def publish_view(self, request: HttpRequest) -> HttpResponse:
        """Publish the draft."""
        _require(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            revision, is_new = services.publish(request.user, request.POST.get("note", ""))  # type: ignore[arg-type]
        except services.NotPublishable as fault:
            for problem in fault.problems:
                messages.error(request, str(problem))
        else:
            said = "is published" if is_new else "is what the draft says already"
            messages.success(request, f"{revision} {said}.")
        return _back()

    def roll_back_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Publish an earlier revision's content again."""
        _require(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        get_object_or_404(ConfigRevision, number=number)
        try:
            revision, is_new = services.roll_back(number, request.user)  # type: ignore[arg-type]
        except Invalid as fault:
            messages.error(request, f"Revision {number} is no longer valid: {fault}")
        else:
            said = f"has the content of revision {number}" if is_new else "is active already"
            messages.success(request, f"{revision} {said}.")
        return _back()


def _require(request: HttpRequest) -> None:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied


def _back() -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:publish_configrevision_changelist"))
