"""Which nodes are looked at."""

import pytest
from django.utils import timezone

from appliance.fleet.models import Node
from appliance.fleet.services import nodes
from appliance.proof import services
from appliance.proof.models import Sighting
from appliance.publish import services as publish
from appliance.servers import services as servers
from appliance.servers.models import NodeGroup

pytestmark = pytest.mark.django_db


def test_a_drained_node_is_not_looked_at() -> None:
    node, _ = nodes.enrol("edge")
    Node.objects.update(applied_revision=1)
    now = timezone.now()
    assert services.due(now) == [node.pk]
    Node.objects.update(drain_requested_at=now)
    services.ask([node.pk], now)
    assert services.due(now + services.CLAIM) == []
    services.look_at(node.pk)
    Node.objects.update(drain_requested_at=None)
    assert services.due(now + services.CLAIM * 2) == [node.pk]


def test_of_a_node_the_listeners_of_its_group_are_expected() -> None:
    first, *_ = servers.create_default_blocks(["mail.example.com"])
    group = servers.save_group(NodeGroup(name="dmz"))
    servers.choose_groups(first, [group])
    revision, _ = publish.publish()
    seen = []
    for name, of in (("inside", group), ("outside", None)):
        node, _ = nodes.enrol(name, of)
        part = revision.digest_for(node.group_name)
        Node.objects.filter(pk=node.pk).update(applied_revision=1, applied_digest=part)
        services.look_at(node.pk)
        seen.append(set(Sighting.objects.filter(node=node).values_list("block", flat=True)))
    assert seen == [{"imap", "pop3", "submission"}, {"pop3", "submission"}]
