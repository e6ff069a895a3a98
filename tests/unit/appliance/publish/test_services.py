"""Publish, roll back, and what nodes are handed."""

import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from appliance.lib import doorbell
from appliance.publish import queries, services
from appliance.publish.models import Candidate, ConfigRevision
from appliance.servers import services as servers
from appliance.servers.choices import AuthService
from appliance.servers.models import AuthHttpHeader, Listener, ServerBlock
from proxycore.contract.snapshot import from_plain

CANARY = "canary-publish-77aa"


def _move_imap(port: int) -> None:
    listener = Listener.objects.get(block__name="imap")
    listener.port = port
    servers.save_listener(listener)


def test_the_first_revision_is_number_one_and_active(
    blocks: dict[str, ServerBlock], administrator: User
) -> None:
    revision, is_new = services.publish(administrator, "first")
    assert is_new
    assert (revision.number, revision.is_active, revision.note) == (1, True, "first")
    assert revision.author == administrator
    assert queries.current() == revision


def test_equal_content_makes_no_new_revision(blocks: dict[str, ServerBlock]) -> None:
    first, _ = services.publish()
    again, is_new = services.publish()
    assert (again, is_new) == (first, False)
    assert ConfigRevision.objects.count() == 1


def test_a_change_makes_the_next_one_active(blocks: dict[str, ServerBlock]) -> None:
    services.publish()
    _move_imap(2143)
    assert queries.is_pending()
    revision, is_new = services.publish()
    assert (revision.number, is_new) == (2, True)
    assert [one.number for one in ConfigRevision.objects.filter(is_active=True)] == [2]
    assert not queries.is_pending()


def test_rolling_back_publishes_the_old_content_under_a_new_number(
    blocks: dict[str, ServerBlock],
) -> None:
    first, _ = services.publish()
    _move_imap(2143)
    services.publish()
    back, is_new = services.roll_back(1)
    assert (back.number, is_new, back.digest) == (3, True, first.digest)
    assert back.note == "Roll back to revision 1"
    # the draft is as it was, and shown as not published
    assert [str(change) for change in queries.pending().changes] == [
        'server block "imap", listener "*:1143" removed',
        'server block "imap", listener "*:2143" added',
    ]


def test_rolling_back_to_what_is_active_does_nothing(blocks: dict[str, ServerBlock]) -> None:
    services.publish()
    assert services.roll_back(1)[1] is False


def test_an_unknown_number_cannot_be_rolled_back_to(db: None) -> None:
    with pytest.raises(ConfigRevision.DoesNotExist):
        services.roll_back(9)


def test_a_draft_with_problems_is_not_published(blocks: dict[str, ServerBlock]) -> None:
    blocks["imap"].listeners.all().delete()
    with pytest.raises(services.NotPublishable, match="needs at least one socket") as refused:
        services.publish()
    (problem,) = refused.value.problems
    assert problem.origin.label == 'server block "imap"'
    assert problem.origin.url == f"/admin/servers/serverblock/{blocks['imap'].pk}/change/"
    assert problem.field == "listens"
    assert services.validate() == (problem,)
    assert queries.current() is None


def test_nodes_get_the_document_with_its_secrets(blocks: dict[str, ServerBlock]) -> None:
    assert services.for_nodes() is None
    _add_secret(blocks["imap"])
    revision, _ = services.publish()
    handed = services.for_nodes()
    assert handed is not None
    assert (handed.number, handed.digest) == (1, revision.digest)
    assert from_plain(handed.document).digest() == revision.digest
    headers = handed.document["servers"][0]["auth_http"]["headers"]
    assert headers == [{"name": "X-Key", "value": CANARY}]
    assert CANARY not in repr(handed)


def test_no_secret_is_in_clear_in_the_database(blocks: dict[str, ServerBlock]) -> None:
    _add_secret(blocks["imap"])
    services.publish()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            assert CANARY not in repr(cursor.fetchall()), table


def test_the_database_refuses_two_active_revisions(blocks: dict[str, ServerBlock]) -> None:
    services.publish()
    with pytest.raises(IntegrityError), transaction.atomic():
        ConfigRevision.objects.create(number=2, digest="x", document="{}", is_active=True)


@pytest.mark.django_db(transaction=True)
def test_publishing_rings_with_nothing_but_the_number() -> None:
    servers.create_default_blocks()
    layer = get_channel_layer()
    channel = async_to_sync(layer.new_channel)()
    async_to_sync(layer.group_add)(doorbell.NODES_GROUP, channel)
    services.publish()
    heard = async_to_sync(layer.receive)(channel)
    assert heard == {"type": "revision.published", "number": 1}


def _add_secret(block: ServerBlock) -> None:
    block.auth_service = AuthService.EXTERNAL
    block.auth_http = "192.0.2.44:80/mail/auth"
    servers.save_block(block)
    AuthHttpHeader.objects.create(block=block, name="X-Key", value=CANARY)


def test_the_same_draft_is_asked_about_once_unless_it_is_asked_anew(
    blocks: dict[str, ServerBlock],
) -> None:
    first = services.ask_nodes()
    assert services.ask_nodes().pk == first.pk
    again = services.ask_nodes(again=True)
    assert again.pk > first.pk
    assert services.candidate_for_nodes(first.pk) is None
    given = services.candidate_for_nodes(again.pk)
    assert given is not None
    assert (given.number, given.digest) == (again.pk, again.digest)


def test_a_question_that_is_old_is_asked_anew(blocks: dict[str, ServerBlock]) -> None:
    first = services.ask_nodes()
    Candidate.objects.update(asked_at=timezone.now() - queries.ASKED_FOR)
    assert services.ask_nodes().pk > first.pk


def test_publishing_ends_the_question(blocks: dict[str, ServerBlock]) -> None:
    services.ask_nodes()
    services.publish()
    assert not Candidate.objects.exists()


def test_a_candidate_is_stored_encrypted(blocks: dict[str, ServerBlock]) -> None:
    services.ask_nodes()
    with connection.cursor() as cursor:
        cursor.execute("SELECT document FROM publish_candidate")
        assert "servers" not in str(cursor.fetchone()[0])
