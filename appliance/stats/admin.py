"""The page of charts."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from appliance.lib.admin import PostroadAdmin
from appliance.stats import board
from appliance.stats.frames import SPANS
from appliance.stats.models import RollUp


@admin.register(RollUp)
class ChartsAdmin(PostroadAdmin):
    """Charts stand where the list of rows would be."""

    def get_urls(self) -> list[URLPattern]:
        """There is one page, and the same without its frame, to be looked at again."""
        guarded = self.admin_site.admin_view
        return [
            path("", guarded(self.changelist_view), name="stats_rollup_changelist"),
            path("charts/", guarded(self.charts_view), name="stats_charts"),
        ]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Give the page."""
        return self.charts_view(request)

    def charts_view(self, request: HttpRequest) -> HttpResponse:
        """Give the charts that the query asks for; ``part`` and ``small``: nothing but these."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if "small" in request.GET:
            charts = board.home(timezone.now())
            return TemplateResponse(request, "stats/small.html", {"charts": charts})
        asked = board.Asked.read(request.GET.dict())
        context = {"board": board.board(asked, timezone.now()), "asked": asked}
        if "part" in request.GET:
            return TemplateResponse(request, "stats/board.html", context)
        context |= {
            **self.admin_site.each_context(request),
            "title": "Charts",
            "opts": self.opts,
            "spans": SPANS.values(),
            "bys": board.BYS.items(),
        }
        return TemplateResponse(request, "stats/charts.html", context)
