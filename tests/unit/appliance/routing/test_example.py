"""``load_example``: listing 15-2 with one command."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from appliance.publish import queries as publish
from appliance.routing import example, services
from appliance.routing.example import Place
from appliance.routing.models import MailHost, Route
from appliance.servers.models import ServerBlock


def _load(*options: str) -> str:
    said = StringIO()
    call_command("load_example", *options, stdout=said)
    return said.getvalue()


def test_it_loads_hosts_routes_and_blocks_and_publishes(db: None) -> None:
    said = _load()
    assert "revision 1 published" in said
    assert [str(route) for route in Route.objects.all()] == [
        "first letter acfg",
        "everybody else",
    ]
    assert dict(MailHost.objects.values_list("name", "address")) == {
        "mailhost01": "192.168.1.22",
        "mailhost02": "192.168.1.33",
    }
    blocks = ServerBlock.objects.values_list("name", "protocol", "listeners__port")
    assert list(blocks) == [
        ("imap", "imap", 1143),
        ("pop3", "pop3", 1110),
        ("submission", "smtp", 1587),
    ]
    assert not publish.is_pending()


def test_an_address_that_was_not_given_is_said_to_be_invented(db: None) -> None:
    said = _load("--mailhost01", "192.0.2.1")
    assert "192.168.1.33, ports 143, 110, 25 (IMAP, POP3, SMTP): an invented address" in said
    assert "--mailhost02=IP" in said
    assert "--mailhost01" not in said


def test_it_can_be_removed(db: None) -> None:
    _load()
    assert len(_load("--remove").splitlines()) == 4
    assert not Route.objects.exists()
    assert not MailHost.objects.exists()
    assert _load("--remove") == "nothing of the example is there\n"


def test_removing_it_spares_what_somebody_made_of_it(db: None) -> None:
    _load()
    second = MailHost.objects.get(name="mailhost02")
    services.save_route(Route(match="domain", value="example.org", mail_host=second))
    assert "mail host mailhost02 kept: something else uses it" in _load("--remove")
    assert [str(route) for route in Route.objects.all()] == ["domain example.org"]
    assert list(MailHost.objects.all()) == [second]


def test_loading_it_again_changes_nothing(db: None) -> None:
    _load()
    assert _load() == "everything is there already\n"
    assert _load("--mailhost01", "192.168.1.22") == "everything is there already\n"


def test_addresses_and_ports_can_be_given(db: None) -> None:
    _load("--mailhost01", "127.0.0.1:10143,10110,10025", "--mailhost02=[::1]:1,2,3")
    first = MailHost.objects.get(name="mailhost01")
    assert (first.address, first.imap_port, first.pop3_port, first.smtp_port) == (
        "127.0.0.1",
        10143,
        10110,
        10025,
    )
    assert MailHost.objects.get(name="mailhost02").address == "::1"
    said = _load("--mailhost01", "127.0.0.2")
    assert "mail host mailhost01 is at 127.0.0.2, ports 143, 110, 25" in said
    assert "invented" not in said
    assert MailHost.objects.get(name="mailhost01").address == "127.0.0.2"


def test_what_an_operator_has_made_is_left_alone(db: None) -> None:
    _load()
    Route.objects.filter(match="letters").delete()
    _load()
    assert Route.objects.count() == 1


@pytest.mark.parametrize(
    "text", ["mail.example.com", "127.0.0.1:143", "::1", "1.2.3", "127.0.0.1:a,b,c"]
)
def test_a_wrong_address_is_refused(db: None, text: str) -> None:
    with pytest.raises(CommandError, match="give IP or IP:imap,pop3,smtp"):
        _load("--mailhost01", text)


def test_a_wrong_port_is_refused(db: None) -> None:
    with pytest.raises(CommandError, match=r"127\.0\.0\.1:70000,1,2: ports are from 1 to 65535"):
        _load("--mailhost01", "127.0.0.1:70000,1,2")


def test_an_address_alone_has_the_default_ports() -> None:
    assert example.parse_place("192.0.2.1") == Place("192.0.2.1", 143, 110, 25)
