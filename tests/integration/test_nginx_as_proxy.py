"""Debian's nginx with its mail module uses our auth view as it would any other."""

from collections.abc import Generator

import pytest

from tests.support import cast, clients
from tests.support.appliance import Appliance
from tests.support.fronts import Front
from tests.support.nginx import Nginx
from tests.support.postfix import Postfix

_HEADER, _SECRET = "X-Auth-Key", "canary-7f3a9c-header-secret"


@pytest.fixture(scope="module")
def nginx_front(appliance: Appliance) -> Generator[Front, None, None]:
    appliance.allow_auth_callers(_HEADER, _SECRET)
    front = Front.on_free_ports()
    mail = f"""
        server_name postroad.test;
        auth_http 127.0.0.1:{appliance.http_port}/auth_http;
        auth_http_header {_HEADER} "{_SECRET}";
        server {{ listen 127.0.0.1:{front.imap}; protocol imap; }}
        server {{ listen 127.0.0.1:{front.pop3}; protocol pop3; }}
        server {{ listen 127.0.0.1:{front.smtp}; protocol smtp; }}
    """
    with Nginx(mail, front.ports):
        yield front


@pytest.mark.parametrize("login", [cast.ALICE, cast.ZOE])
def test_nginx_logs_imap_users_in_where_our_routes_say(nginx_front: Front, login: str) -> None:
    with clients.imap(nginx_front.imap, login, cast.PASSWORDS[login]) as client:
        assert clients.imap_host(client) == cast.HOST_OF[login]


@pytest.mark.parametrize("login", [cast.ALICE, cast.ZOE])
def test_nginx_logs_pop3_users_in_where_our_routes_say(nginx_front: Front, login: str) -> None:
    with clients.pop3(nginx_front.pop3, login, cast.PASSWORDS[login]) as client:
        assert clients.pop3_host(client) == cast.HOST_OF[login]


def test_nginx_lets_smtp_users_send(nginx_front: Front, mta: Postfix) -> None:
    with clients.smtp(nginx_front.smtp, cast.ZOE, cast.PASSWORDS[cast.ZOE]) as client:
        client.send_message(clients.letter("sent through nginx"))
    assert mta.wait_for_message(b"sent through nginx")


def test_nginx_shows_our_refusal_and_the_session_stays_usable(nginx_front: Front) -> None:
    with clients.Line(nginx_front.imap) as line:
        line.line()
        assert line.ask("a LOGIN zoe wrong") == "a NO Invalid login or password"
        assert line.ask(f'b LOGIN zoe "{cast.PASSWORDS[cast.ZOE]}"').startswith("b OK")
