"""TLS of mail hosts: what a new one gets, what the node is told, what is warned of."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client

from appliance.authhttp import services as authhttp
from appliance.routing import services
from appliance.routing.choices import HostTls, MatchKind
from appliance.routing.models import MailHost, Route
from proxycore.contract.authhttp import AuthOk, AuthRequest
from proxycore.contract.protocol import Protocol

PAGE = "/admin/routing/mailhost/"
FORM = {
    "name": "one",
    "state": "up",
    "weight": 1,
    "hold": "later",
    "use_health": "observe",
    "address": "192.0.2.1",
    "tls_name": "Mail.Example.com.",
    "imap_port": 993,
    "pop3_port": 110,
    "smtp_port": 587,
    "imap_tls": "port",
    "pop3_tls": "port",
    "smtp_tls": "port",
}


def _answer(protocol: Protocol) -> AuthOk:
    request = AuthRequest(
        protocol=protocol,
        method="plain",
        login=b"joe",
        password=b"x",
        attempt=1,
        client_ip="192.0.2.7",
    )
    verdict = authhttp.answer(request)
    assert isinstance(verdict, AuthOk)
    return verdict


@pytest.mark.parametrize(
    ("port", "mode", "told"),
    [
        (143, HostTls.BY_PORT, "starttls"),
        (993, HostTls.BY_PORT, "on"),
        (143, HostTls.IMPLICIT, "on"),
        (993, HostTls.STARTTLS, "starttls"),
        (143, HostTls.NONE, "off"),
        (143, HostTls.BLOCK, None),
    ],
)
def test_the_node_is_told_for_each_login(
    db: None, port: int, mode: HostTls, told: str | None
) -> None:
    host = MailHost(name="one", address="192.0.2.1", imap_port=port, imap_tls=mode)
    host.tls_name = "mail.example.com"
    services.save_mail_host(host)
    services.save_route(Route(match=MatchKind.DEFAULT, mail_host=host))
    found = _answer(Protocol.IMAP)
    assert found.proxy_ssl == told
    assert found.proxy_ssl_name == ("" if told == "off" else "mail.example.com")


def test_a_new_mail_host_is_spoken_to_in_tls(db: None) -> None:
    host = services.save_mail_host(MailHost(name="one", address="192.0.2.1"))
    assert [host.proxy_ssl(protocol) for protocol in Protocol] == ["starttls"] * 3


def test_the_page_says_and_warns(as_administrator: Client) -> None:
    assert "in clear" not in as_administrator.post(f"{PAGE}add/", FORM, follow=True).text
    host = MailHost.objects.get()
    assert host.tls_name == "mail.example.com"
    assert "TLS, verified" in as_administrator.get(PAGE).text
    url = f"{PAGE}{host.pk}/change/"
    answer = as_administrator.post(url, FORM | {"pop3_tls": "none"}, follow=True)
    assert "POP3: passwords are sent to one in clear" in answer.text
    assert "in part in clear" in as_administrator.get(PAGE).text
    services.save_route(Route(match=MatchKind.DEFAULT, mail_host=host))
    asked = {"login": "joe", "protocol": "imap"}
    tried = as_administrator.get("/admin/explain/", asked).text
    assert "192.0.2.1:993" in tried
    assert "TLS; it has to prove to be mail.example.com" in tried


@pytest.mark.parametrize("name", ["a b", "-x", "127.1", "x" * 254])
def test_a_name_that_no_certificate_has_is_refused(db: None, name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        services.save_mail_host(MailHost(name="one", address="192.0.2.1", tls_name=name))
    assert "tls_name" in refused.value.message_dict


@pytest.mark.django_db(transaction=True)
def test_mail_hosts_that_are_there_go_on_as_they_are() -> None:
    executor = MigrationExecutor(connection)
    newest = executor.loader.graph.leaf_nodes()
    executor.migrate([("routing", "0003_changes")])
    old: Any = executor.loader.project_state([("routing", "0003_changes")]).apps
    old.get_model("routing", "MailHost").objects.create(name="old", address="192.0.2.1")
    executor = MigrationExecutor(connection)
    executor.migrate(newest)
    assert MailHost.objects.get().imap_tls == HostTls.NONE
