"""Enrolling, revoking, and what a node's words do to what is stored."""

import hashlib

import pytest
from django.utils import timezone

from appliance.fleet import queries
from appliance.fleet.choices import CommandState
from appliance.fleet.models import LiveSession, Node, NodeCommand
from appliance.fleet.services import nodes, sessions
from appliance.stats import services as stats
from appliance.stats.models import NodeTotals
from proxycore.contract.messages import Nack, Sessions, SettingProblem, Stats
from tests.unit.appliance.fleet.wire import hello, record

pytestmark = pytest.mark.django_db


def test_only_the_hash_of_a_token_is_stored(enrolled: tuple[Node, str]) -> None:
    node, token = enrolled
    assert node.token_hash == hashlib.sha256(token.encode()).hexdigest()
    assert queries.find_by_token(token) == node
    assert queries.find_by_token(node.token_hash) is None


def test_two_nodes_have_two_tokens(enrolled: tuple[Node, str]) -> None:
    _, token = nodes.enrol("edge-2")
    assert token.reveal() != enrolled[1]


def test_a_new_token_makes_the_old_one_void_and_admits_a_revoked_node(
    enrolled: tuple[Node, str],
) -> None:
    node, token = enrolled
    nodes.revoke(node)
    fresh = nodes.renew_token(node).reveal()
    assert queries.find_by_token(token) is None
    assert queries.find_by_token(fresh) == node


def test_revoking_ends_what_waits_for_the_node(enrolled: tuple[Node, str]) -> None:
    node, _ = enrolled
    nodes.greet(node, "c", hello(), timezone.now())
    sessions.report(node.pk, "c", Sessions(boot_id="b", full=True, opened=(record(),)))
    NodeCommand.objects.create(node=node, targets=["w1.1"])
    nodes.revoke(node)
    assert not LiveSession.objects.exists()
    assert NodeCommand.objects.get().state == CommandState.FAILED


def test_another_boot_has_none_of_the_old_sessions(enrolled: tuple[Node, str]) -> None:
    node, _ = enrolled
    nodes.greet(node, "c", hello(boot_id="one"), timezone.now())
    sessions.report(node.pk, "c", Sessions(boot_id="one", full=True, opened=(record(),)))
    nodes.greet(node, "d", hello(boot_id="one"), timezone.now())
    assert LiveSession.objects.count() == 1
    nodes.greet(node, "e", hello(boot_id="two"), timezone.now())
    assert not LiveSession.objects.exists()


def test_hostile_words_are_cut_to_what_can_be_stored(enrolled: tuple[Node, str]) -> None:
    node, _ = enrolled
    nodes.greet(node, "c", hello(hostname="\x00" * 999, version="v" * 999), timezone.now())
    problems = tuple(SettingProblem(path="p" * 999, message="\x00m" * 999) for _ in range(99))
    nodes.refuse(node.pk, "c", Nack(revision=1, problems=problems))
    node.refresh_from_db()
    assert (len(node.hostname), len(node.version)) == (255, 64)
    assert len(node.problems) == nodes.MAX_PROBLEMS
    assert "\x00" not in node.hostname + str(node.problems)


def test_deleting_forgets_everything(enrolled: tuple[Node, str]) -> None:
    node, _ = enrolled
    stats.ingest(node.pk, Stats(boot_id="b", seq=1, values={"sessions_open": 1}), timezone.now())
    nodes.delete(node)
    assert not Node.objects.exists()
    assert not NodeTotals.objects.exists()
