"""What people are told of what listeners show: when it is certain, and until it is no longer so."""

from typing import Any

import pytest
from django.utils import timezone

from appliance.alerts.models import Alert
from appliance.fleet.models import Node
from appliance.fleet.services import nodes
from appliance.proof import kinds, services, tasks
from appliance.proof.choices import Verdict
from appliance.proof.looking import Finding
from appliance.proof.targets import plan
from proxycore.contract.listen import Listen
from tests.unit.appliance.proof.test_targets import ONE, block

pytestmark = pytest.mark.django_db

RAN = (4, "d1")
LISTENER = "*:993"
ABOUT = f"edge {LISTENER}"


@pytest.fixture
def node() -> Node:
    """A node that runs something."""
    enrolled, _ = nodes.enrol("edge")
    Node.objects.filter(pk=enrolled.pk).update(applied_revision=RAN[0], applied_digest=RAN[1])
    return Node.objects.get(pk=enrolled.pk)


def _seen(node: Node, verdict: Verdict, *, times: int = 1, port: int = 993, **more: Any) -> None:
    """Have listeners looked at, all of them showing this."""
    targets = plan((block("imap", ONE, Listen(port=port, ssl=True)),)).targets
    found = [
        Finding(target=target, kind="EC", expected="AA:BB", verdict=verdict, **more)
        for target in targets
    ]
    for _ in range(times):
        assert services.write_down(node.pk, RAN, found, "", timezone.now())


def _open() -> dict[str, str]:
    rows = Alert.objects.filter(cleared_at=None)
    return {
        f"{kind} {about}": how for kind, about, how in rows.values_list("kind", "about", "severity")
    }


def _over() -> str:
    return Alert.objects.exclude(cleared_at=None).get().cleared_text


def test_another_certificate_is_told_when_it_is_certain_until_it_is_gone(node: Node) -> None:
    _seen(node, Verdict.OTHER, seen="CC:DD", words="Another certificate is shown.")
    assert _open() == {}, "the node may be changing over"
    _seen(node, Verdict.OTHER, seen="CC:DD", words="Another certificate is shown.")
    assert _open() == {f"{kinds.OTHER.name} {ABOUT}": "critical"}
    text = Alert.objects.get().text
    assert "Node edge, IMAPS at *:993: Another certificate is shown." in text
    assert "Published is AA:BB…, seen was CC:DD…." in text
    _seen(node, Verdict.SERVED, seen="AA:BB")
    assert _open() == {}
    assert _over() == f"{ABOUT} serves what was published."


def test_silence_is_told_after_some_looks_and_is_not_another_certificate(node: Node) -> None:
    _seen(node, Verdict.FAILED, times=services.GIVEN_UP_AFTER - 1, words="No answer.")
    assert _open() == {}
    _seen(node, Verdict.FAILED, words="No answer.")
    assert _open() == {f"{kinds.SILENT.name} {ABOUT}": "warning"}
    # from now on it answers, with something else
    _seen(node, Verdict.OTHER, times=services.SURE_AFTER, seen="CC:DD")
    assert _open() == {f"{kinds.OTHER.name} {ABOUT}": "critical"}


def test_one_good_look_between_two_bad_ones_begins_anew(node: Node) -> None:
    for verdict in (Verdict.OTHER, Verdict.SERVED, Verdict.OTHER):
        _seen(node, verdict)
    assert _open() == {}


def test_a_listener_that_is_no_more_is_over(node: Node) -> None:
    _seen(node, Verdict.OTHER, times=services.SURE_AFTER)
    _seen(node, Verdict.SERVED, port=1993)
    assert _open() == {}


@pytest.mark.parametrize("how", ["deleted", "revoked", "drained"])
def test_a_node_that_is_not_looked_at_any_more_leaves_no_alert_behind(node: Node, how: str) -> None:
    _seen(node, Verdict.OTHER, times=services.SURE_AFTER)
    tasks.look_around.run()
    assert _open() != {}
    now = timezone.now()
    if how == "deleted":
        node.delete()
    elif how == "revoked":
        Node.objects.update(revoked_at=now)
    else:
        Node.objects.update(drain_requested_at=now)
    services.tidy()
    assert _open() == {}
    assert _over() == f"{ABOUT} is not looked at any more."


def test_what_was_seen_of_another_revision_says_nothing(node: Node) -> None:
    _seen(node, Verdict.OTHER)
    Node.objects.update(applied_digest="d2")
    assert not services.write_down(node.pk, RAN, [], "", timezone.now())
    assert _open() == {}
