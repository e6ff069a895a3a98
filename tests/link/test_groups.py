"""Nodes of two groups: one address and port, two protocols, and each knows of its own alone."""

import socket
from collections.abc import Generator

import pytest

from proxycore.contract.messages import Ack, Apply, Nack
from proxycore.contract.snapshot import Snapshot, from_plain, to_plain
from tests.link.conftest import ManagedNode, snapshot
from tests.link.station import Station
from tests.link.test_real_consumer import Consumer
from tests.support.ports import free_port
from tests.support.proxycore import Proxycore
from tests.support.wait import eventually
from tests.unit.proxycore.daemon.serve import refuses

PLACES = {"north": "127.0.0.1", "south": "127.0.0.2"}
"""What each node finds for ``localhost``, where all of them listen."""

_BLOCKS = """
from appliance.servers import services
from appliance.servers.models import AuthHttpHeader, Listener, NodeGroup, ServerBlock
for name, protocol in (("north", "imap"), ("south", "pop3")):
    group = services.save_group(NodeGroup(name=name))
    block = services.save_block(ServerBlock(
        name=name, protocol=protocol, auth_service="external", auth_http="192.0.2.1:80/x"))
    services.choose_groups(block, [group])
    services.save_listener(Listener(block=block, address="localhost", port={port}))
    AuthHttpHeader.objects.create(block=block, name="X-Key", value="canary-" + name)
"""

_ENROL = """
from appliance.fleet.services import nodes
from appliance.servers.models import NodeGroup
print(nodes.enrol({name!r}, NodeGroup.objects.get(name={name!r}))[1].reveal())
"""

_MOVE = """
from appliance.fleet.models import Node
from appliance.fleet.services import nodes
from appliance.servers.models import NodeGroup
node = Node.objects.get(name={name!r})
node.group = NodeGroup.objects.filter(name={group!r}).first()
nodes.configure(node)
"""

_STANDING = """
from django.utils import timezone
from appliance.fleet import queries
for node, status in queries.statuses(timezone.now()):
    print(node.name, status.state.value, node.applied_revision)
"""


class Grouped(Consumer):
    """Daphne alone, over a database with a block for each of two groups."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()

    def prepare(self) -> None:
        self.manage("migrate", "-v0")
        self.python(_BLOCKS.format(port=self.port))
        self.publish()

    def standing(self) -> list[str]:
        return self.python(_STANDING).split("\n")[:-1]


@pytest.fixture
def consumer() -> Generator[Grouped, None, None]:
    appliance = Grouped()
    appliance.prepare()
    with appliance:
        yield appliance


def greeting(place: str, port: int) -> bytes:
    try:
        with socket.create_connection((PLACES[place], port), timeout=2) as client:
            client.settimeout(2)
            return client.recv(4)
    except OSError:
        return b""


def known(node: Proxycore) -> str:
    return "\n".join(
        path.read_text(errors="replace") for path in node.directory.rglob("*") if path.is_file()
    )


def test_two_groups_have_one_port_and_a_node_moves_between_them(consumer: Grouped) -> None:
    port, nodes = consumer.port, {}
    for name, place in PLACES.items():
        token = consumer.python(_ENROL.format(name=name)).strip()
        nodes[name] = Proxycore.managed(consumer.url, token, [port], localhost=place)
    with nodes["north"] as north, nodes["south"] as south:
        assert (greeting("north", port), greeting("south", port)) == (b"* OK", b"+OK ")
        eventually(
            lambda: consumer.standing() == ["north running 1", "south running 1"], "both are heard"
        )
        assert "canary-north" in known(north)
        assert "canary-south" not in known(north)
        assert "canary-south" in known(south)
        assert "canary-north" not in known(south)
        consumer.python(_MOVE.format(name="south", group="north"))
        eventually(lambda: greeting("south", port) == b"* OK", "it speaks IMAP where it was POP3")
        eventually(
            lambda: consumer.standing() == ["north running 1", "south running 1"], "it is heard"
        )
        assert "canary-south" not in known(south)
        consumer.python(_MOVE.format(name="south", group=""))
        eventually(lambda: greeting("south", port) == b"", "nothing is for it: it listens nowhere")
        eventually(
            lambda: consumer.standing() == ["north running 1", "south running 1"], "so it is told"
        )
        assert greeting("north", port) == b"* OK"


def test_a_node_runs_an_empty_part(station: Station, node: ManagedNode) -> None:
    port, link = free_port(), station.conversation()
    link.apply(1, snapshot(node, port))
    link.wait_for(Ack)
    nothing = Snapshot(process=snapshot(node).process)
    link.apply(1, nothing)
    ack = link.wait_for(Ack, lambda ack: ack.digest == nothing.digest())
    assert ack.revision == 1
    eventually(lambda: refuses(port), "it listens nowhere")
    link.apply(1, snapshot(node, port))
    eventually(lambda: not refuses(port), "it listens again")


def test_a_node_takes_no_document_with_blocks_of_groups(
    station: Station, node: ManagedNode
) -> None:
    link = station.conversation()
    plain = to_plain(snapshot(node, free_port()), reveal=True)
    plain["servers"][0]["groups"] = ["dmz"]
    link.send(Apply(revision=3, digest=from_plain(plain).digest(), snapshot=plain))
    (problem,) = link.wait_for(Nack).problems
    assert problem.message == "it is not this node's part of the revision"
