"""Nodes in the admin; what else there is of the fleet has modules of its own."""

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.decorators import display

from appliance.fleet import counters, enrolment_admin, group_admin, problems, queries
from appliance.fleet.choices import TONES, NodeState
from appliance.fleet.models import Node
from appliance.fleet.services import nodes
from appliance.fleet.session_admin import ReadOnlyAdmin
from appliance.lib.admin import PostroadAdmin
from appliance.publish import queries as publish
from appliance.servers import queries as servers
from appliance.stats import queries as stats
from proxycore.contract.secret import Secret

__all__ = ["NodeAdmin", "ReadOnlyAdmin", "enrolment_admin", "group_admin"]

_TONES = {str(state.label): tone for state, tone in TONES.items()}
_SERVING = (NodeState.RUNNING, NodeState.BEHIND, NodeState.REFUSED)


def _without_group(fields: Any) -> Any:
    return tuple(name for name in fields if name != "group")


@admin.register(Node)
class NodeAdmin(PostroadAdmin):
    """Nodes: what each runs, its token, its counters."""

    empty_text = "A node is a running proxy. Add one here and start it with its token."
    list_display = (
        *("name", "state", "standing", "sessions", "applied_revision"),
        *("load_average", "clock", "version", "last_heard"),
    )
    search_fields = ("name", "hostname")
    list_select_related = ("group",)
    fields = ("name", "group", "probe_address", "acme_http_listen")
    list_before_template = "fleet/node_list_help.html"
    change_form_outer_before_template = "fleet/node_status.html"
    change_form_outer_after_template = "fleet/node_totals.html"
    delete_confirmation_template = "fleet/node_delete.html"
    delete_selected_confirmation_template = "fleet/node_delete_selected.html"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave the group out where there are none: who has none need not know of them."""
        return self.fields if servers.has_groups() else _without_group(self.fields)

    def get_list_display(self, request: HttpRequest) -> Any:
        """Name the groups where there are any."""
        shown = self.list_display
        return (shown[0], "group", *shown[1:]) if servers.has_groups() else shown

    def get_list_filter(self, request: HttpRequest) -> Any:
        """Let one group be looked at."""
        return ("group",) if servers.has_groups() else ()

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
        return queries.status_to(node, publish.current(), timezone.now())

    # --- writing ---------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Enrol a new node, or write what is to be so for one."""
        if change:
            nodes.configure(obj)
            return
        node, token = nodes.enrol(obj.name, obj.group)
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
                "located": problems.locate(node.refused_revision, status.problems, node.group_name),
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
