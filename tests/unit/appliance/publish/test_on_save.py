"""Publish on save: who, when, once for many saves, and never what nobody with permission saved."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from appliance.publish import on_save, queries, registry, services, tasks
from appliance.publish.models import ConfigRevision, OnSave
from appliance.publish.registry import Answer, Destination
from appliance.servers.models import ProcessSettings, ServerBlock
from appliance.servers.queries import process_settings
from proxycore.contract.codec import Problem

PAGE = "/admin/publish/configrevision/"
PROCESSES = "/admin/servers/processsettings/"


def _save(client: Client, workers: int) -> None:
    stored = process_settings()
    fields = [field.name for field in ProcessSettings._meta.fields if field.name != "id"]
    data = {name: getattr(stored, name) for name in fields} | {"worker_processes": workers}
    data["prelogin_exempt"] = " ".join(stored.prelogin_exempt)
    sent = {name: value for name, value in data.items() if value is not False}
    assert client.post(PROCESSES, sent).status_code == 302


@pytest.fixture
def on(blocks: dict[str, ServerBlock]) -> None:
    services.publish()
    on_save.switch(True, 10)


@pytest.fixture
def as_editor(db: None) -> Client:
    """A browser of somebody who may edit and not publish."""
    user = User.objects.create_user("eve", is_staff=True)
    user.user_permissions.set(Permission.objects.exclude(codename="publish_configrevision"))
    client = Client()
    client.force_login(user)
    return client


def _later() -> None:
    """Let the moment come, and the worker look."""
    OnSave.objects.filter(due_at__isnull=False).update(due_at=timezone.now() - timedelta(seconds=1))
    tasks.publish_due()


def test_saves_in_a_row_are_one_revision(as_administrator: Client, on: None) -> None:
    for workers in (2, 3, 4):
        _save(as_administrator, workers)
        tasks.publish_due()
    assert ConfigRevision.objects.count() == 1, "not while somebody is editing"
    assert "published by themselves 10 s after" in as_administrator.get(PROCESSES).text
    _later()
    revision = queries.current()
    assert revision is not None
    assert (revision.number, revision.note) == (2, "Published on save, 3 saves")
    assert (revision.author.username, queries.is_pending()) == ("ada", False)  # type: ignore[union-attr]
    assert "Revision 2 was published by itself." in as_administrator.get(PAGE).text


def test_nothing_is_published_when_it_is_off(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    services.publish()
    _save(as_administrator, 2)
    _later()
    assert ConfigRevision.objects.count() == 1


def test_what_is_no_change_of_the_draft_moves_nothing(as_administrator: Client, on: None) -> None:
    _save(as_administrator, process_settings().worker_processes)
    assert on_save.settings().due_at is None


def test_who_may_not_publish_does_not(as_editor: Client, on: None) -> None:
    _save(as_editor, 2)
    _later()
    assert ConfigRevision.objects.count() == 1
    assert queries.is_pending()


def test_nobody_publishes_what_others_saved_before(
    as_editor: Client, as_administrator: Client, on: None
) -> None:
    _save(as_editor, 2)
    _save(as_administrator, 3)
    _later()
    assert ConfigRevision.objects.count() == 1
    assert "somebody else saved" in as_administrator.get(PROCESSES).text
    as_administrator.post(f"{PAGE}publish/")
    _save(as_administrator, 4)
    _later()
    assert ConfigRevision.objects.count() == 3


def test_nor_what_others_save_meanwhile(
    as_editor: Client, as_administrator: Client, on: None
) -> None:
    _save(as_administrator, 2)
    _save(as_editor, 3)
    _later()
    assert ConfigRevision.objects.count() == 1
    assert on_save.settings().is_held


def test_a_discarded_draft_is_forgotten(as_administrator: Client, on: None) -> None:
    _save(as_administrator, 2)
    as_administrator.post(f"{PAGE}1/load/")
    assert on_save.settings().due_at is None
    _later()
    assert ConfigRevision.objects.count() == 1


def test_a_draft_with_problems_waits_for_the_save_that_mends_it(
    as_administrator: Client, on: None, blocks: dict[str, ServerBlock]
) -> None:
    _save(as_administrator, 2)
    ServerBlock.objects.filter(name="imap").update(imap_auth=["nonsense"])
    row = on_save.settings()
    row.digest = on_save.draft.build().fingerprint
    row.save()
    _later()
    assert "imap_auth" in on_save.settings().said
    _save(as_administrator, 3)
    assert on_save.settings().due_at is not None
    assert on_save.settings().saves == 2


def test_permission_that_was_taken_away_counts(
    as_administrator: Client, administrator: User, on: None
) -> None:
    _save(as_administrator, 2)
    User.objects.filter(pk=administrator.pk).update(is_superuser=False)
    _later()
    assert ConfigRevision.objects.count() == 1
    assert "may not publish any more" in on_save.settings().said


@pytest.mark.parametrize("objects", [True, False])
def test_nodes_are_asked_first(
    as_administrator: Client, on: None, monkeypatch: pytest.MonkeyPatch, objects: bool
) -> None:
    answers: list[Answer] = []

    def destinations() -> list[Destination]:
        answer = answers[0] if answers else None
        return [Destination("local", "", is_connected=True, answer=answer)]

    monkeypatch.setattr(registry, "destinations", destinations)
    _save(as_administrator, 2)
    _later()
    candidate = queries.candidate()
    assert candidate is not None
    assert ConfigRevision.objects.count() == 1, "the node has not answered yet"
    problems = [Problem("process", "cannot")] if objects else []
    answers.append(Answer(candidate.pk, problems))
    tasks.publish_due()
    assert ConfigRevision.objects.count() == (1 if objects else 2)
    assert on_save.settings().is_held is objects


def test_it_is_switched_on_the_page_by_who_may_publish(
    as_administrator: Client, as_viewer: Client, blocks: dict[str, ServerBlock]
) -> None:
    switch = f"{PAGE}on-save/"
    assert as_viewer.post(switch, {"enabled": "yes", "quiet_s": "5"}).status_code == 403
    assert as_administrator.get(switch).status_code == 405
    bad = as_administrator.post(switch, {"enabled": "yes", "quiet_s": "0"}, follow=True)
    assert "from 1 to 3600" in bad.text
    assert not on_save.is_on()
    as_administrator.post(switch, {"enabled": "yes", "quiet_s": "5"})
    assert (on_save.is_on(), on_save.settings().quiet_s) == (True, 5)
    as_administrator.post(switch, {"quiet_s": "5"})
    assert not on_save.is_on()
