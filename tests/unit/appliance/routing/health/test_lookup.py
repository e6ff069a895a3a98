"""The addresses of a mail host's name, from the name servers that nodes ask."""

from collections.abc import Iterator

import pytest
from django.test import Client

from appliance.routing.health import queries
from appliance.routing.health.lookup import Names, look_up
from appliance.routing.models import MailHost
from appliance.servers.models import ServerBlock
from tests.support import stub_dns
from tests.support.stub_dns import A, Failure, Question, Record, StubDns

KNOWN, SILENT, EMPTY = "mail.example.test", "silent.example.test", "empty.example.test"


def _decide(question: Question) -> stub_dns.Answer:
    if question.name == SILENT:
        return None
    if question.name == EMPTY or (question.name == KNOWN and question.type != A):
        return []
    if question.name == KNOWN:
        return [Record(A, stub_dns.address(one)) for one in ("192.0.2.9", "192.0.2.1")]
    return Failure(stub_dns.NXDOMAIN)


@pytest.fixture
def names() -> Iterator[Names]:
    with StubDns(_decide) as dns:
        yield Names((dns.address,))


def test_all_addresses_in_their_order(names: Names) -> None:
    assert look_up(KNOWN, names) == (["192.0.2.9", "192.0.2.1"], "")
    assert look_up("192.0.2.7", names) == (["192.0.2.7"], "")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("lost.example.test", "does not exist, says the resolver of the server block"),
        (SILENT, "the resolver of the server block does not answer for"),
        (EMPTY, "has no address"),
    ],
)
def test_why_there_are_none(names: Names, name: str, why: str) -> None:
    found, said = look_up(name, names, 0.3)
    assert found == []
    assert why in said


def test_where_a_block_names_nobody_the_system_is_asked() -> None:
    assert "127.0.0.1" in look_up("localhost")[0]
    assert look_up("nobody.invalid") == ([], "the name nobody.invalid cannot be looked up")


@pytest.mark.django_db
def test_each_set_of_name_servers_is_asked_once(names: Names) -> None:
    for block, servers in (("a", names.servers), ("b", names.servers), ("c", ())):
        ServerBlock.objects.create(name=block, protocol="imap", resolver=list(servers))
    found = queries.addresses(MailHost(name="one", address=KNOWN))
    assert [addresses for addresses, _ in found] == [["192.0.2.9", "192.0.2.1"], []]
    assert queries.addresses(MailHost(name="one", address="192.0.2.1")) == []


def test_the_form_says_that_nobody_knows_a_name(names: Names, as_administrator: Client) -> None:
    ServerBlock.objects.create(name="imap", protocol="imap", resolver=list(names.servers))
    form = {"name": "one", "imap_port": 143, "pop3_port": 110, "smtp_port": 25, "weight": 1}
    form |= {"state": "up", "hold": "later", "use_health": "observe"}
    form |= dict.fromkeys(("imap_tls", "pop3_tls", "smtp_tls"), "port")
    page = "/admin/routing/mailhost/add/"
    answer = as_administrator.post(page, {**form, "address": "lost.example.test"}, follow=True)
    assert "one: the name lost.example.test does not exist, says the resolver" in answer.text
    form["name"] = "two"
    answer = as_administrator.post(page, {**form, "address": KNOWN}, follow=True)
    assert MailHost.objects.filter(name="two").exists()
    assert "two: the name" not in answer.text
