"""The page “Proof of serving”: which certificate every listener of every node really shows."""

from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from appliance.fleet.admin import ReadOnlyAdmin
from appliance.fleet.models import Node
from appliance.proof import queries, services
from appliance.proof.models import Sighting

VIEW: Final = "proof.view_sighting"
LOOK: Final = "proof.look_sighting"


@admin.register(Sighting)
class SightingAdmin(ReadOnlyAdmin):
    """There is one page for all of it."""

    def get_urls(self) -> list[URLPattern]:
        """Give the page, and the button's."""
        site = self.admin_site.admin_view
        return [
            path("", site(self.changelist_view), name="proof_sighting_changelist"),
            path("look/", site(self.look_view), name="proof_look"),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what was seen last, by node and listener."""
        if not request.user.has_perm(VIEW):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": "Proof of serving",
            "opts": self.opts,
            "sum": queries.everything(),
            "may_look": request.user.has_perm(LOOK),
            "every": services.EVERY.seconds // 60,
        }
        return TemplateResponse(request, "proof/page.html", context)

    def look_view(self, request: HttpRequest) -> HttpResponse:
        """Have everything looked at now."""
        if not request.user.has_perm(LOOK):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        services.ask(Node.objects.values_list("pk", flat=True), timezone.now())
        messages.info(request, "All listeners are looked at within a few seconds.")
        return HttpResponseRedirect(reverse("admin:proof_sighting_changelist"))
