"""The page that says where a login would go, and why: what the auth service would answer."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from appliance.authhttp.explain import Asked, explain
from appliance.credentials import services as credentials
from appliance.credentials.models import AppPassword
from appliance.routing import services
from appliance.routing.choices import HostState, MatchKind
from appliance.routing.health import probe
from appliance.routing.health import services as health
from appliance.routing.models import Account, MailHost, Route, Verifier
from appliance.servers.models import Listener, ServerBlock
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret

PAGE = "/admin/explain/"
CANARY = "canary-explain-52"


def _route(host: MailHost, match: MatchKind = MatchKind.DEFAULT, **more: Any) -> Route:
    return services.save_route(Route(mail_host=host, match=match, **more))


def _said(asked: Asked) -> str:
    found = explain(asked)
    lines = [f"= {found.verdict}"]
    for stage in found.stages:
        lines += [f"{stage.title}: {line.text} | {line.why}" for line in stage.lines]
    return "\n".join(lines)


def _asked(login: str = "joe@example.com", **more: Any) -> Asked:
    return Asked(login, more.pop("protocol", Protocol.IMAP), **more)


def test_every_route_is_told_in_order_with_why_not(
    first_host: MailHost, second_host: MailHost
) -> None:
    later = timezone.now() + timedelta(hours=1)
    _route(second_host, position=1, protocol="smtp")
    _route(second_host, MatchKind.LETTERS, value="a", position=2)
    _route(second_host, position=3, percent=1)
    _route(second_host, position=4, starts_at=later)
    _route(first_host, MatchKind.DOMAIN, value="example.com", position=5)
    _route(second_host, position=6)
    found = explain(_asked())
    lines = [(line.text, line.why) for line in found.stages[2].lines]
    assert lines == [
        ("Route 2, the first letter is one of a", "does not fit"),
        ("Route 3, everybody else", "not one of the 1 %"),
        ("Route 4, everybody else", f"not before {later:%Y-%m-%d %H:%M} UTC"),
        ("Route 5, the domain is example.com", ""),
    ]
    assert found.verdict == "Goes to mailhost01, 192.168.1.22:143"
    assert "Changes by itself at" in _said(_asked())


def test_the_answer_is_the_one_of_the_auth_service(first_host: MailHost) -> None:
    _route(first_host, rewrite="strip")
    assert explain(_asked()).headers == [
        ("Auth-Status", "OK"),
        ("Auth-Server", "192.168.1.22"),
        ("Auth-Port", "143"),
        ("Auth-User", "joe"),
    ]
    assert ("Auth-Proxy-Auth", "on") in explain(_asked(protocol=Protocol.SMTP)).headers
    refused = explain(_asked(protocol=Protocol.SMTP, obeys_proxy_auth=False))
    assert refused.verdict == "Is refused: nobody would look at the password"
    assert refused.headers[0] == ("Auth-Status", "Invalid login or password")


def test_a_login_that_is_held_says_by_what(first_host: MailHost) -> None:
    route = _route(first_host, action="wait")
    assert "= Is kept waiting" in _said(_asked())
    route.action = "send"
    services.save_route(route)
    first_host.state = HostState.DOWN
    services.save_mail_host(first_host)
    said = _said(_asked())
    assert "= Is asked to try again later" in said
    assert "The login is held | mail host mailhost01 is down" in said


def test_the_limits_of_the_listener_are_told(
    first_host: MailHost, blocks: dict[str, ServerBlock]
) -> None:
    _route(first_host)
    block = blocks["imap"]
    listener = block.listeners.first()
    assert "Limits" not in _said(_asked())
    said = _said(_asked(listener=listener))
    assert "Limits: Any number of logins may be tried | no mail_login limit is set" in said
    block.mail_login_ip_max, block.mail_login_user_max = 30, 10
    block.mail_login_user_ttl_ms, block.mail_login_counts = 90_000, "refused"
    block.mail_whitelist_ip = ["198.51.100.7/24", "unix:"]
    block.save()
    listener = block.listeners.first()
    said = _said(_asked(listener=listener, client_ip="192.0.2.7"))
    assert "Limits: 30 logins from one address in 1 h | mail_login_ip_max" in said
    assert "Limits: 10 logins of one user in 90 s | mail_login_user_max" in said
    assert "Only refused logins count" in said
    said = _said(_asked(listener=listener, client_ip="198.51.100.9"))
    assert "Limits: Its logins are not counted" in said
    assert "30 logins" not in said


def test_what_probes_found_is_told(first_host: MailHost) -> None:
    _route(first_host)
    target = probe.Target(first_host.pk, Protocol.IMAP, first_host.address, 143, "off")
    good, bad = probe.Found(target, 3), probe.Found(target, None, "connection refused")
    assert "probe" not in _said(_asked())
    health.store(first_host, [bad], timezone.now())
    assert "Mail server: Has not answered any probe yet | connection refused" in _said(_asked())
    health.store(first_host, [good], timezone.now())
    assert "Mail server: Answers probes | " in _said(_asked())
    for _ in range(3):
        health.store(first_host, [bad], timezone.now())
    said = _said(_asked())
    assert "Mail server: Does not answer probes | connection refused" in said
    assert "Mail server: Nodes try all the same | use health: observe only" in said
    assert "Goes to mailhost01" in said


@pytest.mark.parametrize(
    ("account", "asked", "told"),
    [
        ({"enabled": False}, {}, "is enabled"),
        ({"imap_enabled": False}, {}, "may use IMAP"),
        ({"networks": "192.0.2.0/24"}, {"client_ip": "198.51.100.7"}, "in 192.0.2.0/24"),
    ],
)
def test_what_an_account_forbids_is_named(
    first_host: MailHost, account: dict[str, Any], asked: dict[str, Any], told: str
) -> None:
    _route(first_host)
    services.save_account(Account(login="joe@example.com", **account))
    found = explain(_asked(**asked))
    assert found.verdict == "Is refused, whatever the password"
    lines = [line for stage in found.stages for line in stage.lines if line.tone == "danger"]
    assert [line.why for line in lines] == ["no"]
    assert told in lines[0].text


def test_who_looks_at_the_password_is_told(first_host: MailHost) -> None:
    _route(first_host)
    assert "Password: Verified by the mail server |" in _said(_asked())
    account = credentials.save_account(
        Account(login="joe@example.com"), password=Secret(CANARY), recoverable=True
    )
    credentials.issue_app_password(AppPassword(account=account, name="phone"))
    said = _said(_asked())
    assert "Verified here, by a stored hash: argon2id" in said
    assert "Or its app password" in said
    assert "APOP and CRAM-MD5 work" in said
    verifier = services.save_verifier(Verifier(name="old system", mail_host=first_host))
    account.verifier = verifier
    services.save_account(account)
    assert "Verified by old system" in _said(_asked())
    assert CANARY not in said


def test_what_the_listener_makes_of_it_is_told(
    blocks: dict[str, ServerBlock], first_host: MailHost
) -> None:
    _route(first_host)
    block = blocks["imap"]
    listener = Listener.objects.filter(block=block).first()
    assert listener is not None
    block.starttls = "only"
    block.auth_service = "external"
    block.auth_http = "192.0.2.80:9000/auth"
    block.enabled = False
    listener.block = block
    said = _said(_asked(listener=listener, is_encrypted=False))
    assert "In clear no login is taken | starttls only" in said
    assert "Asks another auth service, 192.0.2.80:9000/auth" in said
    assert "The server block is off" in said
    listener.ssl = True
    assert "In clear there is no session" in _said(_asked(listener=listener, is_encrypted=False))


def test_nothing_is_written(first_host: MailHost) -> None:
    _route(first_host)
    services.save_account(Account(login="joe@example.com"), password=Secret("pw"))
    with CaptureQueriesContext(connection) as asked:
        explain(_asked())
    assert all(query["sql"].startswith("SELECT") for query in asked)


# --- the page ---------------------------------------------------------------------------------


def test_the_page_shows_the_way(as_viewer: Client, first_host: MailHost) -> None:
    route = _route(first_host, MatchKind.LETTERS, value="a")
    page = as_viewer.get(PAGE, {"login": "alice", "protocol": "imap"}).text
    assert "Goes to mailhost01" in page
    assert f"/admin/routing/route/{route.pk}/change/" in page
    page = as_viewer.get(PAGE, {"login": "<zoe>", "protocol": "imap"}).text
    assert "Is refused" in page
    assert "<zoe>" not in page


def test_a_listener_of_another_protocol_is_an_error(
    as_viewer: Client, blocks: dict[str, ServerBlock]
) -> None:
    listener = Listener.objects.filter(block=blocks["pop3"]).first()
    assert listener is not None
    asked = {"login": "joe", "protocol": "imap", "listener": listener.pk}
    assert "That one speaks POP3" in as_viewer.get(PAGE, asked).text


def test_it_needs_the_right_to_see_routes_and_accounts(as_newcomer: Client, client: Client) -> None:
    assert as_newcomer.get(PAGE).status_code == 403
    assert client.get(PAGE).status_code == 302


def test_pages_lead_there(as_viewer: Client, as_newcomer: Client, db: None) -> None:
    account = services.save_account(Account(login="joe+x@example.com"))
    page = as_viewer.get(f"/admin/routing/account/{account.pk}/change/").text
    assert f"{PAGE}?login=joe%2Bx%40example.com&amp;protocol=imap" in page
    assert PAGE in as_viewer.get("/admin/routing/route/").text
    assert 'data-part="explain"' in as_viewer.get("/admin/fleet/livesession/").text
