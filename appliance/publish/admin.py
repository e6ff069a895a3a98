"""The Publish page: what would change, the button, how it fares, and every earlier revision."""

import contextlib
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.admin import ModelAdmin

from appliance.lib.admin import display
from appliance.lib.recorded import Recorded
from appliance.publish import draft, on_save, outlook, queries, registry, services, verdicts, views
from appliance.publish.models import ConfigRevision
from proxycore.contract.codec import Invalid
from proxycore.contract.snapshot import Snapshot, groups_of

PERMISSION = "publish.publish_configrevision"

_STATE_TONES = {
    **{tone: tone for tone in ("success", "warning", "danger")},
    "earlier": "",
}
_EARLIER = ("earlier", "earlier")


@admin.register(ConfigRevision)
class ConfigRevisionAdmin(Recorded, ModelAdmin):  # type: ignore[misc]
    """Revisions are published and rolled back, never edited."""

    empty_text = "Each time you publish, the configuration is kept here under a number."
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
        """Add the pages behind the buttons."""
        view = self.admin_site.admin_view
        return [
            path("publish/", view(self.publish_view), name="publish_publish"),
            path("import/", view(self.import_view), name="publish_import"),
            path("export/", view(views.export), name="publish_export_draft"),
            path("<int:number>/export/", view(views.export), name="publish_export"),
            path("on-save/", view(self.on_save_view), name="publish_on_save"),
            path("check/", view(self.check_view), name="publish_check"),
            path("<int:number>/roll-back/", view(self.roll_back_view), name="publish_roll_back"),
            path("<int:number>/load/", view(self.load_view), name="publish_load"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what would change above the list."""
        pending = queries.pending()
        is_ready = bool(pending.changes) and pending.draft.snapshot is not None
        destinations = registry.destinations() if is_ready else []
        context = {
            "title": "Publish",
            "pending": pending,
            "outlook": outlook.outlook(pending, destinations) if is_ready else None,
            "digest": pending.draft.snapshot.digest() if pending.draft.snapshot else "",
            "verdicts": verdicts.verdicts(pending.draft, destinations) if is_ready else None,
            "rollout": queries.rollout(),
            "draft_groups": groups_of(pending.draft.readable or Snapshot()),
            "on_save": on_save.settings(),
            "may_publish": request.user.has_perm(PERMISSION),
            "may_import": request.user.has_perms(views.WRITE),
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
            "conf": queries.conf_of(revision),
            "rollout": queries.rollout() if revision.is_active else None,
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

    @display(description="State", label=_STATE_TONES)
    def show_state(self, revision: ConfigRevision) -> Any:
        """Say of the published one what the nodes made of it, never more than they said."""
        if not revision.is_active:
            return _EARLIER
        rollout = queries.rollout()
        return rollout.tone, rollout.label

    # --- buttons --------------------------------------------------------------------------------

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Bring an nginx.conf into the draft."""
        return views.import_conf(
            request, {**self.admin_site.each_context(request), "opts": self.opts}
        )

    def check_view(self, request: HttpRequest) -> HttpResponse:
        """Have the nodes check the draft."""
        _require(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        with contextlib.suppress(services.NotPublishable):  # the page says what is wrong with it
            services.ask_nodes(again="again" in request.POST)
        return _back()

    def on_save_view(self, request: HttpRequest) -> HttpResponse:
        """Let saving publish, or not."""
        _require(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        seconds = request.POST.get("quiet_s", "")
        try:
            number = int(seconds) if seconds.isascii() and seconds.isdigit() else 0
            row = on_save.switch("enabled" in request.POST, number)
        except ValidationError:
            messages.error(request, "Give a number of seconds from 1 to 3600.")
        else:
            said = (
                "are published by themselves from now on" if row.enabled else "wait for the button"
            )
            messages.success(request, f"Changes {said}.")
        return _back()

    def publish_view(self, request: HttpRequest) -> HttpResponse:
        """Publish the draft; ask first where a node objects to it, or has not said anything."""
        _require(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        now = draft.build()
        if now.snapshot is not None:
            seen = request.POST.get("seen")
            if seen and seen != now.snapshot.digest():
                text = "The draft has changed since you looked at it: look again, then publish."
                messages.warning(request, text)
                return _back()
            said = verdicts.current(now)
            if said.objections and "despite" not in request.POST:
                return self._ask_despite(request, said, now.snapshot.digest())
        try:
            revision, is_new = services.publish(request.user, request.POST.get("note", ""))  # type: ignore[arg-type]
        except services.NotPublishable as fault:
            for problem in fault.problems:
                messages.error(request, str(problem))
        else:
            if is_new:
                text = f"{revision} is published. Below is what the nodes make of it."
                messages.info(request, text)
            else:
                messages.info(request, f"{revision} is what the draft says already.")
        return _back()

    def roll_back_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Show what rolling back would change; publish an earlier revision's content again."""
        _require(request)
        revision = get_object_or_404(ConfigRevision, number=number)
        try:
            if request.method != "POST":
                changes = queries.changes_by_roll_back(revision)
                return self._ask(request, revision, "roll-back", changes)
            published, is_new = services.roll_back(
                number,
                request.user,  # type: ignore[arg-type]
                request.POST.get("note", ""),
                load_draft="load_draft" in request.POST,
            )
        except (Invalid, ValidationError) as fault:
            messages.error(request, f"Revision {number} is no longer valid: {fault}")
        else:
            said = f"has the content of revision {number}" if is_new else "is published already"
            messages.info(request, f"{published} {said}.")
        return _back()

    def load_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Ask, then make the draft say what a revision says."""
        _require(request)
        revision = get_object_or_404(ConfigRevision, number=number)
        if request.method != "POST":
            return self._ask(request, revision, "load", queries.pending().changes)
        try:
            services.load_into_draft(number)
        except (Invalid, ValidationError) as fault:
            messages.error(request, f"Revision {number} cannot be loaded: {fault}")
        else:
            messages.success(request, f"The draft says what revision {number} says.")
        return _back()

    def _ask_despite(
        self, request: HttpRequest, said: verdicts.Verdicts, digest: str
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Publish nevertheless?",
            "verdicts": said,
            "digest": digest,
            "note": request.POST.get("note", ""),
        }
        return TemplateResponse(request, "publish/despite.html", context)

    def _ask(
        self, request: HttpRequest, revision: ConfigRevision, what: str, changes: Any
    ) -> HttpResponse:
        title = f"Roll back to {revision}?" if what == "roll-back" else f"Load {revision}?"
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "what": what,
            "revision": revision,
            "changes": changes,
            "is_pending": queries.is_pending(),
        }
        return TemplateResponse(request, "publish/confirm.html", context)


def _require(request: HttpRequest) -> None:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied


def _back() -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:publish_configrevision_changelist"))
