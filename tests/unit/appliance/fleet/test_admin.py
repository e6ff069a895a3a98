"""The fleet's pages: who may, what they show, and that nothing hostile gets through."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from appliance.fleet import queries
from appliance.fleet.models import LiveSession, Node, NodeCommand
from appliance.fleet.services import nodes
from appliance.publish import queries as publish_queries
from appliance.stats import services as stats
from proxycore.contract.messages import Ack, Nack, SettingProblem, Stats
from tests.unit.appliance.fleet.conftest import Publish
from tests.unit.appliance.fleet.wire import hello, signed_in

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert(1)</script>\"'"

PAGES = (
    "/admin/fleet/livesession/",
    "/admin/fleet/node/",
    "/admin/fleet/node/add/",
    "/admin/fleet/node/{pk}/change/",
    "/admin/fleet/node/{pk}/revoke/",
    "/admin/fleet/node/{pk}/token/",
    "/admin/fleet/node/{pk}/delete/",
    "/admin/fleet/nodecommand/",
)


@pytest.fixture
def node(enrolled: tuple[Node, str]) -> Node:
    return nodes.greet(enrolled[0], "c", hello(hostname=HOSTILE, version=HOSTILE), timezone.now())


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_for_who_may(page: str, node: Node, operator: User, outsider: User) -> None:
    url = page.format(pk=node.pk)
    assert Client().get(url).status_code == 302
    assert signed_in(outsider).get(url).status_code == 403
    response = signed_in(operator).get(url)
    assert response.status_code == 200
    assert HOSTILE not in response.content.decode()


@pytest.mark.parametrize("what", ["revoke", "token", "delete"])
def test_who_may_only_look_changes_nothing(what: str, node: Node, watcher: User) -> None:
    before = node.token_hash
    assert signed_in(watcher).post(f"/admin/fleet/node/{node.pk}/{what}/").status_code == 403
    node.refresh_from_db()
    assert (node.token_hash, node.revoked_at) == (before, None)


@pytest.mark.parametrize("what", ["revoke", "token"])
def test_looking_at_the_question_changes_nothing(what: str, node: Node, operator: User) -> None:
    before = node.token_hash
    signed_in(operator).get(f"/admin/fleet/node/{node.pk}/{what}/")
    node.refresh_from_db()
    assert (node.token_hash, node.revoked_at) == (before, None)


def test_enrolling_shows_the_token_once(operator: User) -> None:
    client = signed_in(operator)
    response = client.post("/admin/fleet/node/add/", {"name": "edge-7"})
    found = re.search(r'id="node-token">([^<]+)<', response.content.decode())
    assert found
    assert "no-store" in response["Cache-Control"]
    node = queries.find_by_token(found[1])
    assert node is not None
    assert node.name == "edge-7"
    for url in ("/admin/fleet/node/", f"/admin/fleet/node/{node.pk}/change/"):
        assert found[1] not in client.get(url).content.decode()


def test_two_nodes_of_one_name_are_refused_at_the_form(node: Node, operator: User) -> None:
    response = signed_in(operator).post("/admin/fleet/node/add/", {"name": node.name})
    assert "already exists" in response.content.decode()
    assert Node.objects.count() == 1


def test_revoking_and_admitting_again(enrolled: tuple[Node, str], operator: User) -> None:
    node, token = enrolled
    client = signed_in(operator)
    client.post(f"/admin/fleet/node/{node.pk}/revoke/")
    assert queries.find_by_token(token) is None
    response = client.post(f"/admin/fleet/node/{node.pk}/token/")
    assert 'id="node-token"' in response.content.decode()
    node.refresh_from_db()
    assert node.revoked_at is None


def test_renaming_changes_only_the_name(node: Node, operator: User) -> None:
    signed_in(operator).post(f"/admin/fleet/node/{node.pk}/change/", {"name": "west"})
    renamed = Node.objects.get(pk=node.pk)
    assert (renamed.name, renamed.token_hash) == ("west", node.token_hash)


def test_a_refusal_leads_to_the_setting(node: Node, operator: User, publish_port: Publish) -> None:
    revision = publish_port(143)
    problem = SettingProblem(path="servers[0].listens[0].port", message=HOSTILE)
    nodes.refuse(node.pk, "c", Nack(revision=revision.number, problems=(problem,)))
    text = signed_in(operator).get(f"/admin/fleet/node/{node.pk}/change/").content.decode()
    assert f"refused revision {revision.number}" in text
    assert 'href="/admin/servers/1/"' in text
    assert "listens[0].port" in text
    assert HOSTILE not in text
    (line,) = publish_queries.rollout().lines
    assert (line.subject, line.tone) == (node.name, "danger")
    assert HOSTILE in line.details[0]


def test_counters_are_shown_with_their_meaning(node: Node, operator: User) -> None:
    values = {"logins{server=imap}": 1234, "sessions_closed{server=imap,reason=done}": 5}
    stats.ingest(node.pk, Stats(boot_id="boot-1", seq=1, values=values), timezone.now())
    text = signed_in(operator).get(f"/admin/fleet/node/{node.pk}/change/").content.decode()
    assert "1,234" in text
    assert "A proxied session came to its end." in text


def test_the_empty_live_page_says_what_the_nodes_listen_on(
    node: Node, operator: User, publish_port: Publish
) -> None:
    page = "/admin/fleet/livesession/"
    first = publish_port(2143)
    assert "127.0.0.1:2143" not in signed_in(operator).get(page).text
    nodes.acknowledge(node.pk, "c", Ack(revision=first.number, digest=first.digest))
    publish_port(2999)
    text = signed_in(operator).get(page).text
    assert "127.0.0.1:2143" in text
    assert "127.0.0.1:2999" not in text
    assert 'data-path="/ws/sessions/"' in text


@pytest.mark.parametrize("what", ["delete", "revoke"])
def test_the_question_says_what_it_means(node: Node, operator: User, what: str) -> None:
    text = signed_in(operator).get(f"/admin/fleet/node/{node.pk}/{what}/").text
    assert "New logins through it fail".lower() in text.lower()
    assert "local" in text


def test_revoking_the_only_node_says_so(node: Node, operator: User) -> None:
    url = f"/admin/fleet/node/{node.pk}/revoke/"
    assert "nobody will be able to log in" in signed_in(operator).get(url).text
    other, _ = nodes.enrol("edge-2")
    nodes.greet(other, "d", hello(), timezone.now())
    assert "nobody will be able to log in" not in signed_in(operator).get(url).text


def test_every_page_says_when_no_node_serves(
    node: Node, administrator: User, publish_port: Publish
) -> None:
    pages = ("/admin/", "/admin/fleet/node/", "/admin/publish/configrevision/")
    client = signed_in(administrator)
    assert all('id="unserved-banner"' not in client.get(page).text for page in pages)
    nodes.delete(node)
    assert all('id="unserved-banner"' in client.get(page).text for page in pages)


def test_a_refused_revision_is_shown_as_refused_everywhere(
    node: Node, administrator: User, publish_port: Publish
) -> None:
    revision = publish_port(143)
    problem = SettingProblem(path="servers[0].listens[0].port", message="taken")
    nodes.refuse(node.pk, "c", Nack(revision=revision.number, problems=(problem,)))
    client = signed_in(administrator)
    for page in ("/admin/", "/admin/fleet/node/", "/admin/publish/configrevision/"):
        text = client.get(page).text
        assert 'id="refused-banner"' in text
        assert "is not in force" in text
    assert "refused by 1 of 1 nodes" in client.get("/admin/publish/configrevision/").text


def test_the_live_page_has_no_inline_script_of_ours(operator: User) -> None:
    text = signed_in(operator).get("/admin/fleet/livesession/").content.decode()
    ours = text[text.index('id="live-sessions"') : text.index("</template>")]
    assert "<script" not in ours
    assert " on" not in re.sub(r">[^<]*<", "><", ours)


def test_a_hostile_login_is_inert_in_the_record_of_disconnects(node: Node, operator: User) -> None:
    NodeCommand.objects.create(node=node, description=HOSTILE, created_by=operator)
    text = signed_in(operator).get("/admin/fleet/nodecommand/").content.decode()
    assert HOSTILE not in text
    assert "&lt;script&gt;alert(1)" in text


def test_deleting_a_node_takes_its_rows_along(node: Node, operator: User) -> None:
    LiveSession.objects.create(
        node=node,
        session="a",
        protocol="imap",
        user="u",
        client="192.0.2.1",
        client_port=1,
        started_at=timezone.now(),
    )
    signed_in(operator).post(f"/admin/fleet/node/{node.pk}/delete/", {"post": "yes"})
    assert not LiveSession.objects.exists()
    assert not Node.objects.exists()
