"""Which nodes are looked at."""

import pytest
from django.utils import timezone

from appliance.fleet.models import Node
from appliance.fleet.services import nodes
from appliance.proof import services

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
