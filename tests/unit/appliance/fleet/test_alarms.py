"""People are told of nodes that are silent or behind, and when they are not any more."""

from datetime import timedelta

import pytest
from django.utils import timezone

from appliance.alerts import services as alerts
from appliance.alerts.models import Alert
from appliance.fleet import alarms
from appliance.fleet.models import Node
from appliance.publish.models import ConfigRevision

pytestmark = pytest.mark.django_db

NOW = timezone.now()
LONG_AGO = NOW - timedelta(minutes=10)


def node(name: str, *, seen_s: float = 0.0, revision: int = 3) -> Node:
    return Node.objects.create(
        name=name,
        token_hash=name,
        connected_at=LONG_AGO,
        last_seen_at=NOW - timedelta(seconds=seen_s),
        applied_revision=revision,
        applied_digest="d",
    )


@pytest.fixture(autouse=True)
def _published() -> None:
    ConfigRevision.objects.create(number=3, digest="d", document="{}", is_active=True)
    ConfigRevision.objects.update(created_at=LONG_AGO)


def told(kind: str = alarms.KIND) -> dict[str, str]:
    rows = Alert.objects.filter(kind=kind, cleared_at=None)
    return dict(rows.values_list("about", "severity"))


def test_silent_and_behind_for_a_while_is_told_and_taken_back() -> None:
    node("good")
    silent, behind = node("silent", seen_s=61), node("behind", revision=2)
    node("hiccup", seen_s=20)
    Node.objects.create(name="new", token_hash="new")
    alarms.watch_nodes(NOW)
    assert told() == {"silent": "critical", "behind": "warning"}
    Node.objects.filter(pk=behind.pk).update(applied_revision=3)
    silent.delete()
    alarms.watch_nodes(NOW)
    assert told() == {}


def test_what_was_just_published_or_has_just_come_is_given_time() -> None:
    late = node("late", revision=2)
    ConfigRevision.objects.update(created_at=NOW - timedelta(seconds=5))
    alarms.watch_nodes(NOW)
    assert told() == {}
    ConfigRevision.objects.update(created_at=LONG_AGO)
    Node.objects.filter(pk=late.pk).update(connected_at=NOW - timedelta(seconds=5))
    alarms.watch_nodes(NOW)
    assert told() == {}


def test_a_revoked_node_is_nobody_s_trouble() -> None:
    gone = node("gone", seen_s=6000)
    Node.objects.filter(pk=gone.pk).update(revoked_at=LONG_AGO)
    alarms.watch_nodes(NOW)
    assert told() == {}


def test_a_deleted_node_leaves_no_alert_behind() -> None:
    silent = node("silent", seen_s=61)
    alarms.watch_nodes(NOW)
    silent.delete()
    alerts.clear_orphans()
    assert told() == {}
    assert "There is no silent any more" in Alert.objects.get().cleared_text


def test_that_no_node_takes_new_clients_is_told_until_one_does() -> None:
    one, two = node("one"), node("two")
    drain(one)
    alarms.watch_nodes(NOW)
    assert told(alarms.NOBODY) == {}
    drain(two)
    alarms.watch_nodes(NOW)
    assert told(alarms.NOBODY) == {"all nodes": "critical"}
    assert "Drained: one, two;" in Alert.objects.get().text
    # one that is behind as well, and one that was never here, change nothing
    Node.objects.filter(pk=two.pk).update(applied_revision=2)
    Node.objects.create(name="new", token_hash="new")
    alarms.watch_nodes(NOW)
    assert told(alarms.NOBODY) == {"all nodes": "critical"}
    Node.objects.filter(pk=one.pk).update(drain_requested_at=None)
    alarms.watch_nodes(NOW)
    assert told(alarms.NOBODY) == {}


def test_the_last_one_drained_counts_though_others_are_only_silent() -> None:
    drain(node("here"))
    node("gone", seen_s=61)
    alarms.watch_nodes(NOW)
    assert told(alarms.NOBODY) == {"all nodes": "critical"}


def drain(one: Node) -> None:
    Node.objects.filter(pk=one.pk).update(drain_requested_at=NOW)
