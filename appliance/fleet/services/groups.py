"""Groups of nodes: one is deleted when nobody is left without what it said."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from appliance.fleet.models import EnrolmentCode, Node
from appliance.publish import queries as publish
from appliance.servers import services as servers
from appliance.servers.models import NodeGroup


def uses(group: NodeGroup) -> list[str]:
    """Say what keeps a group from being deleted, one sentence each."""
    found = []
    nodes = list(Node.objects.filter(group=group).values_list("name", flat=True))
    blocks = list(group.blocks.values_list("name", flat=True))
    codes = EnrolmentCode.objects.filter(
        group=group, used_at=None, expires_at__gt=timezone.now()
    ).values_list("name", flat=True)
    current = publish.current()
    if nodes:
        found.append(f"These nodes are in it: {', '.join(nodes)}.")
    if blocks:
        found.append(f"These server blocks are for it: {', '.join(blocks)}.")
    if codes:
        found.append(f"These enrolment codes are for it: {', '.join(codes)}.")
    if current is not None and group.name in current.parts and not blocks:
        found.append(f"{current}, which is published, has server blocks for it: publish first.")
    return found


@transaction.atomic
def delete(group: NodeGroup) -> None:
    """Delete a group. Raises ValidationError while anything is in it or for it."""
    found = uses(group)
    if found:
        raise ValidationError([f"Group {group} stays. {found[0]}", *found[1:]])
    servers.delete_group(group)
