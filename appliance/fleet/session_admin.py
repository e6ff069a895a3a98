"""Live sessions and the records of disconnects in the admin."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.decorators import display

from appliance.authhttp.admin import EXPLAIN_NEEDS
from appliance.fleet import live, waiting
from appliance.fleet.choices import CommandState, WaitingState
from appliance.fleet.models import Disconnect, LiveSession, Node, NodeCommand
from appliance.fleet.services import disconnects
from appliance.lib.admin import PostroadAdmin


class ReadOnlyAdmin(PostroadAdmin):
    """Rows that nobody writes by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False


@admin.register(LiveSession)
class LiveSessionAdmin(ReadOnlyAdmin):
    """The live page stands where the list of rows would be."""

    def get_urls(self) -> list[URLPattern]:
        """There are two pages."""
        view, waiting_view = map(
            self.admin_site.admin_view, (self.changelist_view, self.waiting_view)
        )
        return [
            path("", view, name="fleet_livesession_changelist"),
            path("before-login/", waiting_view, name="fleet_livesession_waiting"),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Give the page; its sessions come by WebSocket."""
        if not live.may_view(request.user):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": "Live sessions",
            "opts": self.opts,
            "socket_path": "/ws/sessions/",
            "may_explain": request.user.has_perms(EXPLAIN_NEEDS),
            "columns": live.COLUMNS,
            "paces": disconnects.PACES,
            "usual_pace": disconnects.USUAL_PACE,
            "listeners": live.listeners(),
            "several": Node.objects.count() > 1,
        }
        return TemplateResponse(request, "fleet/sessions.html", context)

    def waiting_view(self, request: HttpRequest) -> HttpResponse:
        """Give the page of sessions before login; they come by WebSocket."""
        if not live.may_view(request.user):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": "Live sessions",
            "opts": self.opts,
            "socket_path": "/ws/waiting/",
            "columns": waiting.COLUMNS,
            "states": WaitingState.choices,
        }
        return TemplateResponse(request, "fleet/waiting.html", context)


@admin.register(NodeCommand)
class NodeCommandAdmin(ReadOnlyAdmin):
    """Who disconnected whom, and what became of it."""

    empty_text = (
        "Here is written down who disconnected whom. Sessions are disconnected under Live sessions."
    )
    list_display = ("created_at", "created_by", "description", "node", "result", "message")
    list_display_links = None
    list_select_related = ("node", "created_by")
    search_fields = ("description", "node__name", "created_by__username")

    @display(  # type: ignore[untyped-decorator]
        description="Result",
        label={
            CommandState.PENDING.label: "info",
            CommandState.SENT.label: "info",
            CommandState.DONE.label: "success",
            CommandState.FAILED.label: "danger",
        },
    )
    def result(self, command: NodeCommand) -> str:
        """Give the state as a label."""
        return str(command.get_state_display())


@admin.register(Disconnect)
class DisconnectAdmin(ReadOnlyAdmin):
    """Who had many sessions disconnected, and how far that is."""

    empty_text = "Search under Live sessions, and disconnect what is found there."
    list_display = (
        *("created_at", "created_by", "search", "result", "total", "gone", "failed", "left"),
        "per_second",
    )
    list_display_links = None
    list_select_related = ("created_by",)
    search_fields = ("search", "created_by__username")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Disconnect]:
        """Count what is still there."""
        rows: QuerySet[Disconnect] = super().get_queryset(request)
        return rows.annotate(remaining=Count("sessions"))

    @display(description="Gone")  # type: ignore[untyped-decorator]
    def gone(self, job: Any) -> int:
        """Give how many sessions have ended."""
        return int(max(0, job.total - job.remaining - job.failed - job.left))

    @display(  # type: ignore[untyped-decorator]
        description="State", label={"Going on": "info", "Finished": "success"}
    )
    def result(self, job: Any) -> str:
        """Say whether it goes on."""
        return "Finished" if job.finished_at is not None or not job.remaining else "Going on"
