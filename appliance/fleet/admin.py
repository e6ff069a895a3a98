"""The fleet in the admin: nodes, live sessions, the record of disconnects."""

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from appliance.authhttp.admin import EXPLAIN_NEEDS
from appliance.fleet import counters, live, problems, queries
from appliance.fleet.choices import TONES, CommandState, NodeState
from appliance.fleet.models import Disconnect, EnrolmentCode, LiveSession, Node, NodeCommand
from appliance.fleet.services import disconnects, enrolment, nodes
from appliance.lib.admin import PostroadAdmin, SecretModelForm
from appliance.publish import queries as publish
from appliance.stats import queries as stats
from proxycore.contract.secret import Secret

_TONES = {str(state.label): tone for state, tone in TONES.items()}
_SERVING = (NodeState.RUNNING, NodeState.BEHIND, NodeState.REFUSED)


@admin.register(Node)
class NodeAdmin(PostroadAdmin):
    """Nodes: what each runs, its token, its counters."""

    empty_text = "A node is a running proxy. Add one here and start it with its token."
    list_display = (
        *("name", "state", "standing", "sessions", "applied_revision"),
        *("load_average", "clock", "version", "last_heard"),
    )
    search_fields = ("name", "hostname")
    fields = ("name", "probe_address", "acme_http_listen")
    list_before_template = "fleet/node_list_help.html"
    change_form_outer_before_template = "fleet/node_status.html"
    change_form_outer_after_template = "fleet/node_totals.html"
    delete_confirmation_template = "fleet/node_delete.html"
    delete_selected_confirmation_template = "fleet/node_delete_selected.html"

    @display(description="State", label=_TONES)  # type: ignore[untyped-decorator]
    def state(self, node: Node) -> str:
        """Give the state as a label."""
        return str(self._status(node).state.label)

    @display(description="Configuration")  # type: ignore[untyped-decorator]
    def standing(self, node: Node) -> str:
        """Say how the node stands to the published revision."""
        return self._status(node).text

    @display(description="Load", ordering="load")  # type: ignore[untyped-decorator]
    def load_average(self, node: Node) -> str:
        """Give the host's load average of a minute."""
        return "" if node.load is None else f"{node.load:.2f}"

    @display(description="Clock", ordering="clock_skew_ms")  # type: ignore[untyped-decorator]
    def clock(self, node: Node) -> str:
        """Say how far the node's clock is off ours."""
        return queries.clock_text(node.clock_skew_ms)

    @display(description="Last heard", ordering="last_seen_at")  # type: ignore[untyped-decorator]
    def last_heard(self, node: Node) -> str:
        """Say when it was heard last."""
        return queries.ago(node.last_seen_at, timezone.now())

    def _status(self, node: Node) -> queries.Status:
        current = publish.current()
        number, digest = (current.number, current.digest) if current else (0, "")
        return queries.status(node, number, timezone.now(), digest)

    # --- writing ---------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Enrol a new node, or write what is to be so for one."""
        if change:
            nodes.configure(obj)
            return
        node, token = nodes.enrol(obj.name)
        node.probe_address, node.acme_http_listen = obj.probe_address, obj.acme_http_listen
        nodes.configure(node)
        obj.pk = node.pk
        obj.refresh_from_db()
        # kept for the answer to this very request, and nowhere else
        request.fresh_token = token  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: Node, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the token, once: it is in no redirect, no message and no session."""
        return self._show_token(request, obj, request.fresh_token)  # type: ignore[attr-defined]

    def remove(self, objects: Iterable[Node]) -> None:
        """Forget nodes."""
        for node in objects:
            nodes.delete(node)

    def get_deleted_objects(
        self, objs: Iterable[Node], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Say what goes. Sessions and commands have no permission of their own to be deleted."""
        names = [f"{node}, {self._status(node).text}" for node in objs]
        return names, {"nodes": len(names)}, set(), []

    # --- pages -----------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Add the pages for a new token, for draining and for revoking."""
        site = self.admin_site.admin_view
        own = [
            path("<int:pk>/revoke/", site(self.revoke_view), name="fleet_node_revoke"),
            path("<int:pk>/drain/", site(self.drain_view), name="fleet_node_drain"),
            path("<int:pk>/token/", site(self.token_view), name="fleet_node_token"),
        ]
        return [*own, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show what is known of a node above its form."""
        node = self.get_object(request, object_id)
        context = {
            "show_save_and_continue": False,
            "show_save_and_add_another": False,
            **(extra_context or {}),
        }
        if node is not None:
            status = self._status(node)
            totals = stats.node_totals(node.pk)
            context |= {
                "node": node,
                "status": status,
                "tone": _TONES[status.state.label],
                "clock": queries.clock_text(node.clock_skew_ms),
                "is_clock_off": abs(node.clock_skew_ms or 0) > queries.CLOCK_OFF_MS,
                "located": problems.locate(node.refused_revision, status.problems),
                "totals": totals,
                "table": counters.tabulate(totals.values) if totals else None,
                "live_url": reverse("admin:fleet_livesession_changelist"),
                "may_change": self.has_change_permission(request, node),
            }
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def revoke_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask, then revoke."""

        def revoke(node: Node) -> HttpResponse:
            nodes.revoke(node)
            messages.success(request, f"{node} is revoked; its connection is being closed.")
            return HttpResponseRedirect(reverse("admin:fleet_node_change", args=(node.pk,)))

        return self._confirmed(request, pk, "revoke", revoke)

    def drain_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask, then have the node take no new clients; the other way round, without asking."""

        def drain(node: Node) -> HttpResponse:
            wanted = not node.is_to_drain
            nodes.drain(node, wanted=wanted)
            said = "takes no new clients from now on" if wanted else "takes new clients again"
            messages.success(request, f"{node} {said}, as soon as it is heard.")
            return HttpResponseRedirect(reverse("admin:fleet_node_change", args=(node.pk,)))

        return self._confirmed(request, pk, "drain", drain)

    def token_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask, then give the node a new token."""

        def renew(node: Node) -> HttpResponse:
            return self._show_token(request, node, nodes.renew_token(node))

        return self._confirmed(request, pk, "token", renew)

    def _confirmed(
        self, request: HttpRequest, pk: int, what: str, act: Callable[[Node], HttpResponse]
    ) -> HttpResponse:
        node = get_object_or_404(Node, pk=pk)
        if not self.has_change_permission(request, node):
            raise PermissionDenied
        if request.method == "POST":
            return act(node)
        others = [
            other
            for other, status in queries.statuses(timezone.now())
            if other.pk != node.pk and status.state in _SERVING
        ]
        context = self._context(request, node) | {"what": what, "is_last": not others}
        return TemplateResponse(request, "fleet/node_confirm.html", context)

    def _show_token(self, request: HttpRequest, node: Node, token: Secret) -> HttpResponse:
        context = self._context(request, node) | {
            "token": token.reveal(),
            "control_url": request.build_absolute_uri("/ws/node/").replace("http", "ws", 1),
        }
        # never cached: admin_view says no-store for every page
        return TemplateResponse(request, "fleet/node_token.html", context)

    def _context(self, request: HttpRequest, node: Node) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "node": node,
            "title": node.name,
        }


class EnrolmentForm(SecretModelForm):
    """What an operator says of a code."""

    minutes = forms.IntegerField(
        min_value=1,
        max_value=enrolment.MOST_MINUTES,
        initial=enrolment.MINUTES,
        help_text="How many minutes the code is good for, 60 unless you say otherwise.",
        widget=UnfoldAdminIntegerFieldWidget,
    )

    class Meta:
        """The name is what is known beforehand."""

        model = EnrolmentCode
        fields = ("name",)

    def clean_name(self) -> str:
        """Refuse the name of a node that is there."""
        name = str(self.cleaned_data["name"])
        if Node.objects.filter(name=name).exists():
            raise ValidationError("There is a node of this name; give that a new token.")
        return name


@admin.register(EnrolmentCode)
class EnrolmentCodeAdmin(PostroadAdmin):
    """Codes by which machines become nodes."""

    form = EnrolmentForm
    empty_text = "A code lets one machine fetch a node's token by itself, once."
    list_display = ("name", "standing", "created_by", "created_at", "expires_at", "used_from")
    list_display_links = None
    list_select_related = ("created_by",)

    @display(  # type: ignore[untyped-decorator]
        description="State", label={"Open": "info", "Used": "success", "Expired": ""}
    )
    def standing(self, code: EnrolmentCode) -> str:
        """Say whether it can be used."""
        if code.used_at is not None:
            return "Used"
        return "Open" if code.expires_at > timezone.now() else "Expired"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Make the code."""
        row, code = enrolment.create(obj.name, form.cleaned_data["minutes"], request.user)
        obj.pk, obj.expires_at = row.pk, row.expires_at
        # kept for the answer to this very request, and nowhere else
        request.fresh_code = code  # type: ignore[attr-defined]

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """The audit trail has it."""

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the code, once."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": obj.name,
            "row": obj,
            "code": request.fresh_code.reveal(),  # type: ignore[attr-defined]
            "control_url": request.build_absolute_uri("/").rstrip("/"),
        }
        return TemplateResponse(request, "fleet/enrolment_code.html", context)

    def remove(self, objects: Iterable[EnrolmentCode]) -> None:
        """Withdraw codes."""
        for row in objects:
            enrolment.withdraw(row)


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
        """There is one page."""
        view = self.admin_site.admin_view(self.changelist_view)
        return [path("", view, name="fleet_livesession_changelist")]

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
