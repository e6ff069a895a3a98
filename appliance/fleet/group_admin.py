"""Groups of nodes in the admin: which nodes are in one, and what they run."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from appliance.fleet import groups
from appliance.fleet.choices import TONES
from appliance.fleet.services import groups as services
from appliance.lib.admin import PostroadAdmin, display
from appliance.publish import queries as publish
from appliance.servers import services as servers
from appliance.servers.models import NodeGroup


@admin.register(NodeGroup)
class NodeGroupAdmin(PostroadAdmin):
    """Groups with their nodes and blocks."""

    empty_text = (
        "A group has nodes that run server blocks of their own: other addresses, other"
        " certificates. Without groups every node runs every block."
    )
    list_display = ("name", "show_nodes", "show_blocks", "show_standing", "note")
    search_fields = ("name", "note")
    fields = ("name", "note")
    list_before_template = "fleet/group_list_help.html"
    delete_confirmation_template = "fleet/group_delete.html"
    change_form_outer_after_template = "fleet/group_members.html"

    def get_queryset(self, request: HttpRequest) -> "QuerySet[NodeGroup]":
        """Count along."""
        rows: QuerySet[NodeGroup] = super().get_queryset(request)
        return rows.annotate(
            node_count=Count("nodes", distinct=True), block_count=Count("blocks", distinct=True)
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Keep the name of a group that is there."""
        return ("name",) if obj else ()

    @display(description="Nodes", ordering="node_count")
    def show_nodes(self, group: NodeGroup) -> str:
        """Count the nodes in it."""
        return str(group.node_count)  # type: ignore[attr-defined]

    @display(description="Server blocks of its own", ordering="block_count")
    def show_blocks(self, group: NodeGroup) -> str:
        """Count the blocks that are only for such groups."""
        return str(group.block_count)  # type: ignore[attr-defined]

    @display(
        description="Published revision",
        label={tone: tone for tone in ("success", "warning", "danger", "info")},
    )
    def show_standing(self, group: NodeGroup) -> Any:
        """Say on how many of its nodes the published revision runs."""
        members = groups.members(group, publish.current(), timezone.now())
        return groups.standing(members)

    # --- writing ---------------------------------------------------------------------------------

    def store(self, obj: NodeGroup, form: Any) -> None:
        """Write by the service."""
        servers.save_group(obj)

    def remove(self, objects: Iterable[NodeGroup]) -> None:
        """Delete by the service."""
        for group in list(objects):
            services.delete(group)

    def get_deleted_objects(
        self, objs: Iterable[NodeGroup], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Say what keeps groups from being deleted."""
        rows = list(objs)
        many = len(rows) > 1
        kept = [
            f"{group}: {why}" if many else why for group in rows for why in services.uses(group)
        ]
        return list(map(str, rows)), {"node groups": len(rows)}, set(), kept

    # --- page ------------------------------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show its nodes and blocks below the form."""
        group = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if group is not None:
            members = groups.members(group, publish.current(), timezone.now())
            context |= {
                "group": group,
                "members": [(node, status, TONES[status.state]) for node, status in members],
                "own_blocks": groups.blocks(group),
                "common_blocks": groups.blocks(None),
            }
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response
