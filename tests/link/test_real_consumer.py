"""A real node and the appliance's own consumer, in Daphne, without anything else of the appliance.

Whatever is published here is published by another process, whose doorbell cannot reach Daphne's
in-process channel layer: every change arrives by the node's heartbeat alone.
"""

import contextlib
import socket
import sys
from collections.abc import Generator

import pytest

from tests.link.conftest import ManagedNode, log_in
from tests.support.appliance import Appliance
from tests.support.ports import free_port
from tests.support.wait import eventually
from tests.unit.proxycore.daemon.serve import refuses, serves

_NODE = "linked"

_MOVE = """
from appliance.servers.models import Listener
from appliance.servers import services
listener = Listener.objects.get(port={old})
listener.port = {new}
services.save_listener(listener)
"""

_STATE = """
from appliance.fleet.models import Node
node = Node.objects.get(name="linked")
print({expression})
"""

_KICK = """
from appliance.fleet.models import LiveSession
from appliance.fleet.services import commands
commands.kick_sessions(LiveSession.objects.values_list("pk", flat=True), None)
"""


class Consumer(Appliance):
    """Daphne alone, over a database with the default server blocks."""

    def __init__(self) -> None:
        super().__init__(command=_daphne(0))
        self._command = _daphne(self.http_port)

    def prepare(self) -> None:
        self.manage("migrate", "-v0")
        self.python("from appliance.servers import services\nservices.create_default_blocks()")
        self.publish()

    def start(self, *, within_s: float = 60) -> None:
        self.launch(self._command, env=self.environment, cwd=self.root)
        self.wait_for_port(self.http_port, within_s=within_s)

    def node(self, expression: str) -> str:
        return self.python(_STATE.format(expression=expression)).strip()


def _daphne(port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port)),
        "appliance.asgi:application",
    ]


@pytest.fixture(scope="module")
def consumer(auth_port: int) -> Generator[Consumer, None, None]:
    with contextlib.closing(Consumer()) as appliance:
        appliance.prepare()
        # accounts are not what is tested here: somebody else decides about logins
        appliance.python(_EXTERNAL_AUTH.format(port=auth_port))
        appliance.publish()
        appliance.start()
        yield appliance


_EXTERNAL_AUTH = """
from appliance.servers.choices import AuthService
from appliance.servers.models import ServerBlock
from appliance.servers import services
for block in ServerBlock.objects.all():
    block.auth_service = AuthService.EXTERNAL
    block.auth_http = "127.0.0.1:{port}/auth"
    services.save_block(block)
"""


@pytest.fixture
def node(consumer: Consumer) -> Generator[ManagedNode, None, None]:
    enrolled = consumer.enrol(_NODE)
    daemon = ManagedNode(consumer.url)
    daemon.write_token(enrolled.token)
    with daemon:
        eventually(lambda: consumer.node_is_up_to_date(_NODE), "it runs what is published")
        yield daemon
        daemon.stop()
    consumer.forget_node(_NODE)


def test_a_revision_reaches_the_node_without_a_doorbell(
    consumer: Consumer, node: ManagedNode
) -> None:
    old, new = consumer.front.pop3, free_port()
    with log_in(consumer.front.imap) as session:
        consumer.python(_MOVE.format(old=old, new=new))
        consumer.publish()
        eventually(lambda: serves(new, b"+OK"), "the port has moved", within_s=5)
        # the socket is closed once every worker has the new one
        eventually(lambda: refuses(old), "the old port is closed", within_s=5)
        assert session.ask("b NOOP") == b"b OK done\r\n"
    eventually(lambda: consumer.node_is_up_to_date(_NODE), "it is acknowledged")
    consumer.python(_MOVE.format(old=new, new=old))
    consumer.publish()
    eventually(lambda: serves(old, b"+OK"), "the port is back", within_s=5)


def test_a_taken_port_is_refused_and_the_path_is_known(
    consumer: Consumer, node: ManagedNode
) -> None:
    old = consumer.front.pop3
    with socket.create_server(("127.0.0.1", 0)) as taker:
        taken = taker.getsockname()[1]
        consumer.python(_MOVE.format(old=old, new=taken))
        consumer.publish()
        refused = eventually(lambda: _problems(consumer), "the refusal is known")
        assert "servers[1].listens[0]" in refused
        assert "Address already in use" in refused
        assert serves(old, b"+OK")
    consumer.python(_MOVE.format(old=taken, new=old))
    consumer.publish()
    eventually(lambda: consumer.node_is_up_to_date(_NODE), "the next revision is taken")


def _problems(consumer: Consumer) -> str:
    found = consumer.node("node.problems")
    return found if found != "[]" else ""


def test_a_live_session_is_seen_and_kicked(consumer: Consumer, node: ManagedNode) -> None:
    seen = "node.live_sessions.count()"
    with log_in(consumer.front.imap) as session:
        eventually(lambda: consumer.node(seen) == "1", "the session is seen")
        consumer.python(_KICK)
        assert session.rest() == b""
    eventually(lambda: consumer.node(seen) == "0", "it is seen no more")


def test_a_restarted_appliance_finds_the_node_as_it_is(
    consumer: Consumer, node: ManagedNode
) -> None:
    with log_in(consumer.front.imap) as session:
        consumer.stop()
        assert session.ask("b NOOP") == b"b OK done\r\n"
        log_in(consumer.front.imap).__exit__()
        consumer.start()
        eventually(lambda: consumer.node_is_up_to_date(_NODE), "it is back", within_s=15)
        eventually(lambda: consumer.node("node.live_sessions.count()") == "1", "it is told")
        assert session.ask("c NOOP") == b"c OK done\r\n"


def test_a_revoked_node_is_disconnected_and_goes_on_serving(
    consumer: Consumer, node: ManagedNode
) -> None:
    consumer.revoke_node(_NODE)
    assert node.log_contains("the appliance has revoked this node's token", within_s=5)
    assert node.log_contains("the appliance refused this node's token (HTTP 403)", within_s=8)
    assert serves(consumer.front.imap)
