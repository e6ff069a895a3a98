"""The Publish page and its buttons."""

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from appliance.publish import registry, services
from appliance.publish.models import Candidate, ConfigRevision
from appliance.publish.registry import Answer, Destination, StatusLine
from appliance.servers import services as servers
from appliance.servers.models import Listener, ServerBlock
from proxycore.contract.codec import Problem

PAGE = "/admin/publish/configrevision/"
BUTTON = f"{PAGE}publish/"


def _move_imap(port: int) -> None:
    listener = Listener.objects.get(block__name="imap")
    listener.port = port
    servers.save_listener(listener)


def test_what_is_pending_is_shown_and_published_by_the_button(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    page = as_administrator.get(PAGE).text
    assert "server block &quot;imap&quot; added" in page
    assert "publish-button" in page
    answer = as_administrator.post(BUTTON, {"note": "first"}, follow=True)
    assert "Revision 1 is published." in answer.text
    assert "Nothing is pending: the draft is what is published." in answer.text
    revision = ConfigRevision.objects.get()
    assert (revision.note, revision.author.username) == ("first", "ada")  # type: ignore[union-attr]


def test_publishing_again_says_that_nothing_is_new(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    services.publish()
    assert "is what the draft says already" in as_administrator.post(BUTTON, follow=True).text


def test_problems_stand_in_the_place_of_the_button(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    blocks["imap"].listeners.all().delete()
    page = as_administrator.get(PAGE).text
    assert "needs at least one socket" in page
    assert reverse("admin:servers_serverblock_change", args=[blocks["imap"].pk]) in page
    assert "publish-button" not in page
    assert "needs at least one socket" in as_administrator.post(BUTTON, follow=True).text


def test_a_revision_shows_its_changes_and_can_be_rolled_back_to(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    first, _ = services.publish()
    _move_imap(2143)
    second, _ = services.publish()
    page = as_administrator.get(f"{PAGE}{second.pk}/change/").text
    assert "listener &quot;*:2143&quot; added" in page
    assert "roll-back-button" not in page
    assert "roll-back-button" in as_administrator.get(f"{PAGE}{first.pk}/change/").text
    answer = as_administrator.post(f"{PAGE}1/roll-back/", follow=True)
    assert "Revision 3 has the content of revision 1." in answer.text


def test_the_document_is_on_no_page(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    revision, _ = services.publish()
    token = ConfigRevision.objects.raw("SELECT * FROM publish_configrevision")[0]
    page = as_administrator.get(f"{PAGE}{revision.pk}/change/").text
    assert "send_node_token" not in page
    assert token.document.reveal()[:40] not in page


def test_the_apps_say_how_the_active_revision_fares(
    as_administrator: Client, blocks: dict[str, ServerBlock], monkeypatch: pytest.MonkeyPatch
) -> None:
    services.publish()
    lines = [StatusLine("edge-1", "danger", "refused revision 1", ("port 1143 is taken",), "/n/1")]
    monkeypatch.setattr(registry, "_status_providers", {"test": lambda number: lines})
    page = as_administrator.get(PAGE).text
    for words in ("edge-1", "refused revision 1", "port 1143 is taken", "/n/1"):
        assert words in page


def test_a_banner_reminds_on_other_pages(
    as_administrator: Client, as_newcomer: Client, blocks: dict[str, ServerBlock]
) -> None:
    assert "pending-banner" in as_administrator.get("/admin/").text
    assert "pending-banner" not in as_administrator.get(PAGE).text
    assert "pending-banner" not in as_newcomer.get("/admin/").text
    services.publish()
    assert "pending-banner" not in as_administrator.get("/admin/").text


def test_who_may_only_look_cannot_publish(
    as_viewer: Client, blocks: dict[str, ServerBlock]
) -> None:
    page = as_viewer.get(PAGE)
    assert page.status_code == 200
    assert "publish-button" not in page.text
    assert as_viewer.post(BUTTON).status_code == 403
    assert as_viewer.post(f"{PAGE}1/roll-back/").status_code == 403
    assert not ConfigRevision.objects.exists()


def test_others_see_nothing(as_newcomer: Client, client: Client, db: None) -> None:
    assert as_newcomer.get(PAGE).status_code == 403
    assert as_newcomer.post(BUTTON).status_code == 403
    assert client.get(PAGE).status_code == 302
    assert client.post(BUTTON).status_code == 302


def test_the_button_takes_no_link(as_administrator: Client) -> None:
    assert as_administrator.get(BUTTON).status_code == 405


@pytest.mark.parametrize("what", ["roll-back", "load"])
def test_looking_at_the_question_changes_nothing(
    as_administrator: Client, blocks: dict[str, ServerBlock], what: str
) -> None:
    services.publish()
    _move_imap(2143)
    services.publish()
    page = as_administrator.get(f"{PAGE}1/{what}/")
    assert page.status_code == 200
    assert "confirm-button" in page.text
    assert ConfigRevision.objects.count() == 2
    assert Listener.objects.get(block__name="imap").port == 2143


def test_rolling_back_shows_its_changes_takes_a_note_and_the_draft_along(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    services.publish()
    _move_imap(2143)
    services.publish()
    assert "listener &quot;*:2143&quot; removed" in as_administrator.get(f"{PAGE}1/roll-back/").text
    data = {"note": "too early", "load_draft": "on"}
    page = as_administrator.post(f"{PAGE}1/roll-back/", data, follow=True).text
    assert "Revision 3 has the content of revision 1." in page
    assert ConfigRevision.objects.get(number=3).note == "Roll back to revision 1: too early"
    assert "Nothing is pending" in page


def test_without_that_the_draft_stays_after_rolling_back(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    services.publish()
    _move_imap(2143)
    services.publish()
    page = as_administrator.post(f"{PAGE}1/roll-back/", follow=True).text
    assert "listener &quot;*:2143&quot; added" in page


def test_the_draft_is_discarded(as_administrator: Client, blocks: dict[str, ServerBlock]) -> None:
    services.publish()
    blocks["pop3"].delete()
    _move_imap(2143)
    assert "discard-draft" in as_administrator.get(PAGE).text
    assert "lost" in as_administrator.get(f"{PAGE}1/load/").text
    page = as_administrator.post(f"{PAGE}1/load/", follow=True).text
    assert "Nothing is pending" in page
    assert "discard-draft" not in page
    assert ServerBlock.objects.count() == 3


def test_what_changes_is_shown_beside_what_is_wrong(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    services.publish()
    blocks["imap"].listeners.all().delete()
    page = as_administrator.get(PAGE).text
    assert "needs at least one socket" in page
    assert "listener &quot;*:1143&quot; removed" in page


REFUSED = StatusLine("edge-1", "danger", "refused revision 1", ("taken",), "/n/1", "refused")
RUNNING = StatusLine("edge-2", "success", "running revision 1", state="running")
WAITING = StatusLine("edge-3", "warning", "runs nothing", state="waiting")
AWAY = StatusLine("edge-4", "danger", "silent since", state="away")


@pytest.mark.parametrize(
    ("lines", "label", "banner"),
    [
        ([REFUSED], "refused by 1 of 1 nodes", "refused-banner"),
        ([RUNNING, REFUSED], "refused by 1 of 2 nodes", "refused-banner"),
        ([RUNNING, RUNNING], "running", ""),
        ([RUNNING, WAITING], "on 1 of 2 nodes", "waiting-banner"),
        ([RUNNING, AWAY], "on 1 of 2 nodes", "away-banner"),
        ([AWAY], "on 0 of 1 nodes", "unserved-banner"),
        ([], "on no node", "unserved-banner"),
    ],
)
def test_a_revision_is_shown_as_the_nodes_acknowledged_it(
    as_administrator: Client,
    blocks: dict[str, ServerBlock],
    monkeypatch: pytest.MonkeyPatch,
    lines: list[StatusLine],
    label: str,
    banner: str,
) -> None:
    revision, _ = services.publish()
    monkeypatch.setattr(registry, "_status_providers", {"test": lambda number: lines})
    page = as_administrator.get(PAGE).text
    detail = as_administrator.get(f"{PAGE}{revision.pk}/change/").text
    elsewhere = as_administrator.get("/admin/servers/serverblock/").text
    for text in (page, detail):
        assert label in text
        assert "is active" not in text
    for text in (page, detail, elsewhere):
        shown = [f"{name}-banner" for name in ("refused", "waiting", "away", "unserved")]
        assert [name for name in shown if f'id="{name}"' in text] == ([banner] if banner else [])


def test_revisions_are_never_edited_added_or_deleted(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    revision, _ = services.publish()
    assert as_administrator.get(f"{PAGE}add/").status_code == 403
    assert as_administrator.post(f"{PAGE}{revision.pk}/change/", {}).status_code == 403
    assert as_administrator.post(f"{PAGE}{revision.pk}/delete/").status_code == 403


def test_an_unknown_revision_is_not_found(as_administrator: Client) -> None:
    assert as_administrator.post(f"{PAGE}9/roll-back/").status_code == 404
    assert as_administrator.get(f"{PAGE}9/change/").status_code == 404


def test_a_revision_that_is_no_longer_valid_does_not_stand_in_the_way(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    old = ConfigRevision.objects.create(
        number=1, digest="old", document='{"servers": [{"name": "old"}]}', is_active=True
    )
    assert "server block &quot;imap&quot; added" in as_administrator.get(PAGE).text
    assert as_administrator.get(f"{PAGE}{old.pk}/change/").status_code == 200
    assert "Revision 2 is published." in as_administrator.post(BUTTON, follow=True).text
    for ask in (as_administrator.get, as_administrator.post):
        answer = ask(f"{PAGE}1/roll-back/", follow=True)
        assert "Revision 1 is no longer valid" in answer.text


def _node(name: str, runs: ConfigRevision | None = None, **more: object) -> Destination:
    known = {"revision": runs.number, "digest": runs.digest} if runs else {}
    facts = {"text": "connected", "url": f"/{name}", "is_connected": True, **known, **more}
    return Destination(name, **facts)  # type: ignore[arg-type]


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> list[Destination]:
    """Where the draft would be taken to, in the place of the fleet."""
    found: list[Destination] = []
    monkeypatch.setattr(registry, "_destination_providers", {"test": lambda: found})
    return found


def test_the_page_says_as_nginx_conf_and_for_each_node_what_will_be_done(
    as_administrator: Client, blocks: dict[str, ServerBlock], nodes: list[Destination]
) -> None:
    first, _ = services.publish()
    _move_imap(2143)
    nodes += [
        _node("edge-1", first),
        _node("edge-2", first),
        _node("fresh"),
        _node("odd", revision=77, digest="unknown"),
        _node("gone", is_connected=False, text="silent since noon"),
    ]
    page = " ".join(as_administrator.get(PAGE).text.split())
    assert '<div data-kind="removed"> listen *:1143;</div>' in page
    assert '<div data-kind="added"> listen *:2143;</div>' in page
    groups = page.split("data-effects")[1:]
    assert len(groups) == 3
    assert "edge-1" in groups[0]
    assert "edge-2" in groups[0]
    assert "imap changed" in groups[0]
    assert "2 untouched" in groups[0]
    assert "running nothing yet" in groups[1]
    assert "what changes cannot be said" in groups[2]
    assert "gone</a> (silent since noon)" in page


def test_a_revision_shows_its_changes_as_nginx_conf_too(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    services.publish()
    _move_imap(2143)
    second, _ = services.publish()
    page = " ".join(as_administrator.get(f"{PAGE}{second.pk}/change/").text.split())
    assert '<div data-kind="added"> listen *:2143;</div>' in page


def test_many_nodes_cost_no_more_queries_than_one(
    as_administrator: Client,
    blocks: dict[str, ServerBlock],
    nodes: list[Destination],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    first, _ = services.publish()
    _move_imap(2143)
    nodes += [_node(f"edge-{number}", first) for number in range(500)]
    with django_assert_max_num_queries(60):
        page = as_administrator.get(PAGE).text
    assert "488 more" in page


def _answer(*problems: Problem, warnings: tuple[Problem, ...] = ()) -> Answer:
    return Answer(services.ask_nodes().pk, problems, warnings)


CHECK = f"{PAGE}check/"
TAKEN = Problem("servers[0].listens[0]", "bind() failed: Address already in use")


def test_nodes_are_asked_and_what_they_say_leads_to_the_field(
    as_administrator: Client, blocks: dict[str, ServerBlock], nodes: list[Destination]
) -> None:
    nodes.append(_node("edge-1"))
    page = as_administrator.get(PAGE).text
    assert "not asked yet" in page
    assert 'data-asked="no"' in page
    as_administrator.post(CHECK)
    assert "is checking" in as_administrator.get(PAGE).text
    warning = Problem("servers[1].auth_http.host", "host not found")
    nodes[:] = [_node("edge-1", answer=_answer(TAKEN, warnings=(warning,))), _node("edge-2")]
    page = " ".join(as_administrator.get(PAGE).text.split())
    assert "would refuse it" in page
    imap, pop3 = (
        reverse("admin:servers_serverblock_change", args=[blocks[name].pk])
        for name in ("imap", "pop3")
    )
    assert f'href="{imap}#id_listeners-0-port"' in page
    assert f'href="{pop3}#id_auth_http"' in page
    assert 'data-settled="no"' in page.partition('id="verdicts"')[2]
    nodes[:] = [_node("edge-1", answer=_answer()), _node("gone", is_connected=False)]
    page = " ".join(as_administrator.get(PAGE).text.split())
    assert "Can take it:" in page
    assert "Not asked, because not connected: gone" in page
    assert 'data-settled="yes"' in page.partition('id="verdicts"')[2]


def test_an_answer_about_another_draft_does_not_count(
    as_administrator: Client, blocks: dict[str, ServerBlock], nodes: list[Destination]
) -> None:
    nodes.append(_node("edge-1", answer=_answer()))
    _move_imap(2143)
    assert "not asked yet" in as_administrator.get(PAGE).text


def test_publishing_against_a_node_takes_a_second_question(
    as_administrator: Client, blocks: dict[str, ServerBlock], nodes: list[Destination]
) -> None:
    nodes.append(_node("edge-1", answer=_answer(TAKEN)))
    asked = as_administrator.post(BUTTON, {"note": "soon"}).text
    assert "Publish although not every node can take it?" in asked
    assert "Address already in use" in asked
    assert 'value="soon"' in asked
    assert not ConfigRevision.objects.exists()
    as_administrator.post(BUTTON, {"note": "soon", "despite": "yes"})
    assert ConfigRevision.objects.get().note == "soon"


def test_a_connected_node_that_has_not_answered_is_asked_about_and_one_that_is_away_is_not(
    as_administrator: Client, blocks: dict[str, ServerBlock], nodes: list[Destination]
) -> None:
    nodes.append(_node("edge-1"))
    assert "Publish although" in as_administrator.post(BUTTON).text
    nodes[:] = [_node("edge-1", is_connected=False)]
    as_administrator.post(BUTTON)
    assert ConfigRevision.objects.exists()


def test_a_draft_that_changed_since_it_was_looked_at_is_not_published(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    page = as_administrator.get(PAGE)
    seen = page.context["digest"]
    assert f'name="seen" value="{seen}"' in page.text
    _move_imap(2143)
    answer = as_administrator.post(BUTTON, {"seen": seen}, follow=True)
    assert "has changed since you looked" in answer.text
    assert not ConfigRevision.objects.exists()


def test_asking_takes_the_right_to_publish(
    as_viewer: Client, blocks: dict[str, ServerBlock]
) -> None:
    assert as_viewer.post(CHECK).status_code == 403
    assert "check-button" not in as_viewer.get(PAGE).text


def test_asking_is_no_get_and_a_draft_with_problems_asks_nobody(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    assert as_administrator.get(CHECK).status_code == 405
    blocks["imap"].listeners.all().delete()
    assert as_administrator.post(CHECK).status_code == 302
    assert not Candidate.objects.exists()
