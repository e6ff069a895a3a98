"""The home page."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from appliance.fleet.models import Node
from appliance.fleet.services import nodes
from appliance.publish.models import ConfigRevision
from appliance.routing import services as routing
from appliance.routing.choices import MatchKind
from appliance.routing.models import MailHost, Route
from appliance.servers import services as servers
from appliance.stats import services as stats
from proxycore.contract.messages import Stats
from tests.unit.appliance.fleet.conftest import Publish
from tests.unit.appliance.fleet.wire import hello, signed_in

pytestmark = pytest.mark.django_db
HOME = "/admin/"


def test_an_empty_appliance_says_what_to_do(administrator: User) -> None:
    text = signed_in(administrator).get(HOME).text
    assert 'id="next-steps"' in text
    for page in ("routing/mailhost/add/", "routing/route/add/", "servers/serverblock/add/"):
        assert f'href="/admin/{page}"' in text
    assert "No node is enrolled" in text


def test_the_steps_go_when_they_are_done(
    administrator: User, enrolled: tuple[Node, str], publish_port: Publish
) -> None:
    host = routing.save_mail_host(MailHost(name="one", address="192.0.2.1"))
    routing.save_route(Route(match=MatchKind.DEFAULT, mail_host=host))
    servers.create_default_blocks()
    publish_port(2143)
    client = signed_in(administrator)
    assert "watch it under Live sessions" in client.get(HOME).text
    values = {"logins{server=imap}": 41, "login_failures{server=imap}": 17}
    stats.ingest(enrolled[0].pk, Stats(boot_id="b", seq=1, values=values), timezone.now())
    text = client.get(HOME).text
    assert 'id="next-steps"' not in text
    assert ">41<" in text
    assert ">17<" in text


def test_logins_that_mail_servers_refused_are_refused_logins(
    administrator: User, enrolled: tuple[Node, str]
) -> None:
    values = {
        "login_failures{server=imap}": 17,
        "sessions_closed{server=imap,reason=backend_rejected}": 6,
        "sessions_closed{server=imap,reason=backend_refused}": 100,
        "sessions_closed{server=imap,reason=done}": 1000,
    }
    stats.ingest(enrolled[0].pk, Stats(boot_id="b", seq=1, values=values), timezone.now())
    text = signed_in(administrator).get(HOME).text
    assert ">23<" in text
    assert "17 here, 6 by mail servers" in text


def test_a_node_that_drains_counts_its_sessions_once(
    administrator: User, enrolled: tuple[Node, str], publish_port: Publish
) -> None:
    node = enrolled[0]
    publish_port(2143)
    nodes.greet(node, "c", hello(), timezone.now())
    for is_draining, said in ((False, ", 3 sessions"), (True, "3 sessions remain")):
        active = ConfigRevision.objects.get(is_active=True)
        Node.objects.filter(pk=node.pk).update(
            applied_revision=active.number,
            applied_digest=active.digest,
            sessions=3,
            drain_requested_at=timezone.now() if is_draining else None,
            is_draining=is_draining,
        )
        text = signed_in(administrator).get(HOME).text
        assert said in text
        assert text.count("3 sessions") == 1


def test_nodes_and_revisions_are_shown(
    administrator: User, enrolled: tuple[Node, str], publish_port: Publish
) -> None:
    nodes.greet(enrolled[0], "c", hello(), timezone.now())
    publish_port(2143)
    publish_port(2144)
    text = signed_in(administrator).get(HOME).text
    assert "edge-1" in text
    assert "1 of 1" in text
    assert "Revision 2" in text
    assert "on 0 of 1 nodes" in text


def test_who_may_see_nothing_is_told_so(outsider: User) -> None:
    text = signed_in(outsider).get(HOME).text
    assert "may not see anything" in text
    assert 'id="next-steps"' not in text


def test_who_may_see_sessions_only_sees_no_revision(watcher: User) -> None:
    text = signed_in(watcher).get(HOME).text
    assert "Live sessions" in text
    assert "Last revisions" not in text


def test_strangers_are_asked_to_sign_in() -> None:
    assert Client().get(HOME).status_code == 302


def test_an_unknown_address_leads_home_and_browsers_get_their_icon(db: None) -> None:
    assert "Postroad's overview" in Client().get("/nothing/").text
    assert Client().get("/favicon.ico")["Location"].endswith(".svg")


def test_a_good_password_leads_home(administrator: User) -> None:
    administrator.set_password("a long pass phrase")
    administrator.save()
    data = {"username": administrator.username, "password": "a long pass phrase"}
    answer = Client().post("/admin/login/", data)
    assert answer["Location"] == HOME


def test_that_no_node_takes_new_clients_is_said(
    administrator: User, enrolled: tuple[Node, str]
) -> None:
    nodes.greet(enrolled[0], "c", hello(), timezone.now())
    client = signed_in(administrator)
    assert "No node takes new clients" not in client.get(HOME).text
    Node.objects.update(drain_requested_at=timezone.now())
    assert "No node takes new clients: edge-1 was drained." in client.get(HOME).text
