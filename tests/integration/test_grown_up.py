"""PostgreSQL and Redis instead of the embedded defaults: only settings change."""

import imaplib
from collections.abc import Generator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.appliance import Appliance, WebOnly
from tests.support.databases import PostgreSQL, Redis
from tests.support.ports import free_port
from tests.support.stub_backends import ImapStub
from tests.support.wait import eventually

pytestmark = pytest.mark.slow

_IDLE_S = 6
"""Longer than Redis clients wait for an answer before they give a connection up, by default."""

_TRY_AGAIN_LATER = 4503

_LEFTOVER = """\
from datetime import timedelta
from django.utils import timezone
from appliance.fleet.models import LiveSession, Node
long_ago = timezone.now() - timedelta(hours=1)
node = Node.objects.create(name='left', token_hash='none', last_seen_at=long_ago)
LiveSession.objects.create(node=node, session='s', client_port=1, started_at=long_ago)
"""


@pytest.fixture(scope="module")
def variables() -> Generator[dict[str, str], None, None]:
    with Redis() as redis, PostgreSQL() as database:
        yield {"POSTROAD_REDIS_URL": redis.url, "POSTROAD_DATABASE_URL": database.url}


@pytest.fixture(scope="module")
def grown_up(variables: dict[str, str]) -> Generator[Appliance, None, None]:
    with Appliance(variables=variables) as appliance:
        yield appliance


def _ask(appliance: Appliance, question: str) -> str:
    imports = "from appliance.fleet.models import LiveSession, Node\n"
    times = "from django.utils import timezone\nlocal = Node.objects.get(name='local')\n"
    return appliance.python(f"{imports}{times}print({question})").strip()


def _connect(web: Appliance, token: str) -> ClientConnection:
    headers = {"Authorization": f"Bearer {token}"}
    return connect(web.link_url, additional_headers=headers, proxy=None, open_timeout=10)


def _closed_with(link: ClientConnection) -> int:
    with link, pytest.raises(ConnectionClosed) as ended:
        link.recv(timeout=10)
    assert ended.value.rcvd is not None
    return ended.value.rcvd.code


def test_a_login_goes_through_and_is_seen(grown_up: Appliance) -> None:
    with ImapStub() as backend:
        ports = f"127.0.0.1:{backend.port},{backend.port},{backend.port}"
        grown_up.manage("load_example", f"--mailhost01={ports}", f"--mailhost02={ports}")
        client = imaplib.IMAP4("127.0.0.1", grown_up.front.imap, timeout=10)
        client.login("alice", "secret")
        seen = "LiveSession.objects.filter(user='alice').count()"
        eventually(lambda: _ask(grown_up, seen) == "1", "the session is seen", within_s=10)
        client.shutdown()


def test_the_control_link_survives_silence(grown_up: Appliance) -> None:
    # nothing is published and no route is changed meanwhile: no doorbell rings
    eventually(
        lambda: (
            float(_ask(grown_up, "(timezone.now() - local.connected_at).total_seconds()")) > _IDLE_S
        ),
        "the link has lived for longer than a read may take",
        within_s=20,
    )
    assert "Traceback" not in grown_up.log()


def test_a_second_web_server_knows_what_the_first_one_does(
    grown_up: Appliance, variables: dict[str, str]
) -> None:
    key = str(grown_up.state / "secret.key")
    with WebOnly(variables={**variables, "POSTROAD_SECRET_KEY_FILE": key}) as second:
        second.publish()
        eventually(lambda: grown_up.node_is_up_to_date("local"), "the node follows", within_s=20)


def test_periodic_tasks_are_executed(grown_up: Appliance) -> None:
    grown_up.python(_LEFTOVER)
    eventually(
        lambda: _ask(grown_up, "LiveSession.objects.filter(node__name='left').count()") == "0",
        "the sessions of a node that is silent for an hour are forgotten",
        within_s=40,
    )


def test_a_redis_that_is_away_ends_links_with_a_word_and_refuses_nobody() -> None:
    with WebOnly(variables={"POSTROAD_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}) as web:
        link = _connect(web, web.enrol("edge").token)
        assert _closed_with(link) == _TRY_AGAIN_LATER
        assert web.log_contains("channel layer not available")
        assert "Traceback" not in web.log()


def test_a_database_that_is_away_ends_links_with_a_word_and_refuses_nobody() -> None:
    with (
        PostgreSQL() as database,
        WebOnly(variables={"POSTROAD_DATABASE_URL": database.url}) as web,
    ):
        web.manage("migrate", "--verbosity", "0")
        token = web.enrol("edge").token
        link = _connect(web, token)
        database.stop()
        assert _closed_with(link) == _TRY_AGAIN_LATER
        assert _closed_with(_connect(web, token)) == _TRY_AGAIN_LATER
        assert "Traceback" not in web.log()
