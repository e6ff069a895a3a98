"""The appliance goes away; mail goes on."""

from collections.abc import Generator

import pytest

from tests.support import cast, clients
from tests.support.appliance import WebOnly
from tests.support.authserver import AuthServer
from tests.support.dovecot import Dovecot
from tests.support.proxycore import Proxycore, greets
from tests.support.wait import eventually

_PASSWORD = cast.PASSWORDS[cast.ALICE]
_NODE = "node under test"


@pytest.fixture(scope="module")
def web(
    mailhost01: Dovecot, mailhost02: Dovecot, mta_port: int, auth_service: AuthServer
) -> Generator[WebOnly, None, None]:
    """The control plane; somebody else's auth service decides about POP3."""
    with WebOnly() as running:
        running.load_example([mailhost01, mailhost02], smtp_port=mta_port)
        running.add_accounts(cast.PASSWORDS)
        running.use_auth_service("pop3", f"127.0.0.1:{auth_service.port}/auth")
        running.publish()
        yield running


@pytest.fixture(scope="module")
def node(web: WebOnly) -> Generator[Proxycore, None, None]:
    enrolled = web.enrol(_NODE)
    daemon = Proxycore.managed(web.link_url, enrolled.token, web.front.ports)
    with daemon:
        _wait_for_node(web)
        yield daemon


def _wait_for_node(web: WebOnly) -> None:
    eventually(
        lambda: web.node_is_up_to_date(_NODE),
        "the node is seen with the active revision and routing generation",
        within_s=20,
    )


@pytest.fixture
def web_is_back(web: WebOnly) -> Generator[None, None, None]:
    yield
    if not web.is_running():
        web.start()


def test_open_sessions_and_cached_logins_go_on_without_the_appliance(
    web: WebOnly, node: Proxycore, web_is_back: None
) -> None:
    with clients.imap(web.front.imap, cast.ALICE, _PASSWORD) as before:
        web.stop()
        assert before.noop()[0] == "OK"
        with clients.imap(web.front.imap, cast.ALICE, _PASSWORD) as client:
            assert clients.imap_host(client) == cast.MAILHOST01
        assert before.noop()[0] == "OK"


def test_first_logins_go_on_where_another_auth_service_decides(
    web: WebOnly, node: Proxycore, web_is_back: None
) -> None:
    web.stop()
    for login in (cast.ALICE, cast.ZOE):
        with clients.pop3(web.front.pop3, login, cast.PASSWORDS[login]) as client:
            assert clients.pop3_host(client) == cast.HOST_OF[login]


def test_a_login_nobody_can_decide_gets_a_retryable_answer_at_once(
    web: WebOnly, node: Proxycore, web_is_back: None
) -> None:
    web.stop()
    with clients.Line(web.front.smtp) as line:
        line.line()
        line.ask("HELO client.test")
        assert line.ask("AUTH PLAIN AG5vYm9keQBzZWNyZXQ=") == "451 4.3.2 Internal server error"


def test_the_node_reconnects_and_its_revision_is_shown_acknowledged(
    web: WebOnly, node: Proxycore, web_is_back: None
) -> None:
    with clients.imap(web.front.imap, cast.ZOE, cast.PASSWORDS[cast.ZOE]) as client:
        web.stop()
        web.start()
        _wait_for_node(web)
        assert client.noop()[0] == "OK"


def test_a_node_restarts_from_its_disk_while_the_appliance_is_away(
    web: WebOnly, node: Proxycore, web_is_back: None
) -> None:
    web.stop()
    node.stop()
    node.start()
    eventually(lambda: greets(web.front.imap), "the node greets from its saved revision")
