"""PostgreSQL, Redis, two web servers, three nodes: any part may die, and comes back by itself.

Each part is killed without a warning while sessions are open on every node. They live; logins that
are cached go on; and when the part is back, a publish reaches every node with nobody's help, and
no session was counted twice.
"""

import contextlib
import imaplib
import json
from collections.abc import Generator
from typing import Any

import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.support import cast
from tests.support.dovecot import Dovecot
from tests.support.fleet import PLACES, Fleet, fleet
from tests.support.wait import eventually

pytestmark = pytest.mark.slow

BACK_WITHIN_S = 30

_PUBLISH = """\
import json, time
from appliance.fleet.models import Node
from appliance.publish import services as publish
from appliance.publish.models import ConfigRevision
from appliance.servers import services
from appliance.servers.models import ServerBlock

def change():
    block = ServerBlock.objects.get(name="imap")
    block.max_errors += 1
    services.save_block(block)

def everywhere():
    active = ConfigRevision.objects.get(is_active=True)
    return not Node.objects.exclude(applied_revision=active.number).exists()

took = []
for _ in range(ROUNDS):
    change()
    begun = time.monotonic()
    publish.publish()
    while not everywhere() and time.monotonic() < begun + LIMIT_S:
        time.sleep(0.01)
    took.append(time.monotonic() - begun)
print(json.dumps([everywhere(), took]))
"""
_LOGINS = """\
from appliance.stats.models import NodeTotals
print(sum(value for row in NodeTotals.objects.all() for name, value in row.values.items()
          if name.startswith("logins{")))
"""


@pytest.fixture(scope="module")
def installation(mailhost01: Dovecot, mailhost02: Dovecot) -> Generator[Fleet, None, None]:
    with fleet() as there:
        there.web.load_example([mailhost01, mailhost02])
        yield there


@pytest.fixture
def logins() -> Generator[contextlib.ExitStack, None, None]:
    with contextlib.ExitStack() as stack:
        yield stack


made = 0
"""Logins this file has made, which is what the fleet's totals come to."""


def _log_in(
    there: Fleet, name: str, stack: contextlib.ExitStack, user: str = cast.ALICE
) -> imaplib.IMAP4:
    global made
    client = imaplib.IMAP4(PLACES[name], there.web.front.imap, timeout=20)
    stack.callback(client.shutdown)
    client.login(user, cast.PASSWORDS[user])
    made += 1
    return client


def _publish(there: Fleet, rounds: int = 1) -> list[float]:
    code = _PUBLISH.replace("ROUNDS", str(rounds)).replace("LIMIT_S", str(BACK_WITHIN_S))
    reached, took = json.loads(there.web.python(code).splitlines()[-1])
    assert reached, took
    return [float(one) for one in took]


def test_a_publish_reaches_every_node(
    installation: Fleet, record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    took = sorted(_publish(installation, rounds=20))
    record_property("publish_to_active_s", took)
    with capsys.disabled():
        print(f"\nclick to active on three nodes: median {took[10]:.2f} s, p95 {took[18]:.2f} s")


@pytest.mark.parametrize(
    "part", ["web", "second web", "redis", "database", "auth", "worker", "beat", "balancer"]
)
def test_a_part_dies_and_comes_back(
    installation: Fleet, logins: contextlib.ExitStack, part: str
) -> None:
    there = installation
    open_sessions = [_log_in(there, name, logins) for name in PLACES]
    there.kill(part)
    try:
        for session in open_sessions:
            assert session.noop()[0] == "OK"
        for name in PLACES:
            _log_in(there, name, logins)
    finally:
        there.bring_back()
    _publish(there)
    for session in open_sessions:
        assert session.noop()[0] == "OK"
    eventually(
        lambda: there.web.python(_LOGINS).strip() == str(made),
        f"every login of {made} is counted once",
        within_s=BACK_WITHIN_S,
    )


def test_a_node_dies_and_comes_back(installation: Fleet, logins: contextlib.ExitStack) -> None:
    there = installation
    elsewhere = [_log_in(there, name, logins) for name in ("north", "west")]
    there.kill("south")
    try:
        _publish_to_the_others(there)
        for session in elsewhere:
            assert session.noop()[0] == "OK"
    finally:
        there.bring_back()
    eventually(
        lambda: there.web.node_is_up_to_date("south"), "it runs what was published meanwhile"
    )
    _log_in(there, "south", logins)


def _publish_to_the_others(there: Fleet) -> None:
    there.web.publish()
    for name in ("north", "west"):
        eventually(lambda name=name: there.web.node_is_up_to_date(name), name)  # type: ignore[misc]


_DISCONNECT = """\
import json, time
from appliance.fleet.models import Disconnect, LiveSession
from appliance.fleet.services import disconnects
mine = LiveSession.objects.filter(backend=BACKEND)
while mine.count() < WANTED:
    time.sleep(0.05)
begun = time.monotonic()
job = disconnects.disconnect_matching('server=' + BACKEND, None, per_second=PACE)
while mine.exists() and time.monotonic() < begun + 30:
    time.sleep(0.02)
took_s = time.monotonic() - begun
job.refresh_from_db()
print(json.dumps([job.total, job.failed, mine.count(), took_s]))
"""


def test_a_mail_hosts_sessions_are_disconnected_at_its_pace_over_all_nodes(
    installation: Fleet, logins: contextlib.ExitStack, mailhost01: Dovecot
) -> None:
    there, pace = installation, 5
    leaving = [_log_in(there, name, logins) for name in PLACES for _ in range(4)]
    staying = [_log_in(there, name, logins, cast.ZOE) for name in PLACES]
    code = _DISCONNECT.replace("BACKEND", repr(f"127.0.0.1:{mailhost01.imap_port}"))
    code = code.replace("WANTED", str(len(leaving))).replace("PACE", str(pace))
    total, failed, left, took_s = json.loads(there.web.python(code).splitlines()[-1])
    assert (total, failed, left) == (len(leaving), 0, 0)
    # turns are a share of the time each, so the last one comes in the last of them
    assert took_s > (len(leaving) - 1) / pace - 0.1
    for session in leaving:
        with pytest.raises((session.abort, OSError)):
            session.noop()
    for session in staying:
        assert session.noop()[0] == "OK"


_SIGN_IN = """\
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
browser = Client()
user = User.objects.create_superuser("watcher", "", "a long pass phrase of nobody")
browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
name = settings.SESSION_COOKIE_NAME
print(f"{name}={browser.cookies[name].value}")
"""


def test_each_web_server_shows_who_waits_at_every_node(
    installation: Fleet, logins: contextlib.ExitStack
) -> None:
    there = installation
    for address in PLACES.values():
        logins.callback(imaplib.IMAP4(address, there.web.front.imap, timeout=20).shutdown)
    cookie = there.web.python(_SIGN_IN).strip()
    for web in (there.web, there.second_web):
        with connect(
            f"{web.url.replace('http', 'ws')}/ws/waiting/",
            origin=Origin(web.url),
            additional_headers={"Cookie": cookie},
            proxy=None,
        ) as page:
            page.send(json.dumps({"type": "view"}))
            shown: dict[str, Any] = {}
            while shown.get("described", 0) < len(PLACES):
                shown = json.loads(page.recv(timeout=20))
        assert {row["node"] for row in shown["rows"]} == set(PLACES)
        assert {node["count"] for node in shown["nodes"]} == {1}


_MAKE_KEYS = """\
from django.utils import timezone
from appliance.certs import services as certs
from appliance.publish import services as publish
from appliance.servers import services
from appliance.servers.models import ServerBlock
certificate = certs.make_self_signed("canary", ["mail.example.com"])
for block in ServerBlock.objects.all():
    block.starttls = "on"
    services.choose_certificates(services.save_block(block), [certificate])
publish.publish()
print(certificate.private_key.reveal())
"""


def test_no_private_key_is_kept_or_logged_in_clear(
    installation: Fleet, logins: contextlib.ExitStack
) -> None:
    there = installation
    key = there.web.python(_MAKE_KEYS)
    for name in PLACES:
        eventually(lambda name=name: there.web.node_is_up_to_date(name), name)  # type: ignore[misc]
        _log_in(there, name, logins)
    lines = [line.encode() for line in key.splitlines() if line and "-----" not in line]
    kept = there.everything_kept()
    assert kept["table certs_certificate"], "the certificate is in the database"
    assert len(lines) > 2
    for name, octets in kept.items():
        assert not [line for line in lines if line in octets], name
        assert b"PRIVATE KEY-----" not in octets, name


def test_nothing_was_our_fault(installation: Fleet) -> None:
    for name, node in installation.nodes.items():
        assert "internal error" not in node.log(), name
