"""What only the machine is in the way of is tried again, and said when it is done."""

import json
import socket
import time

from proxycore.contract.messages import Ack, Apply, Heartbeat, Hello, Nack
from proxycore.contract.snapshot import to_plain
from tests.link.conftest import ManagedNode, snapshot
from tests.link.station import Station
from tests.support.ports import free_port
from tests.support.wait import eventually
from tests.unit.proxycore.daemon.serve import serves


def test_a_refused_revision_runs_soon_after_its_port_is_free(
    station: Station, node: ManagedNode
) -> None:
    port, link = free_port(), station.conversation()
    link.apply(1, snapshot(node, port))
    link.wait_for(Ack)
    with socket.create_server(("127.0.0.1", 0)) as taker:
        taken = taker.getsockname()[1]
        wanted = snapshot(node, port, taken)
        link.apply(2, wanted)
        link.wait_for(Nack)
        # long enough for the waits between attempts to have grown
        eventually(lambda: len(link.all(Heartbeat)) > 5, "some seconds pass")
        assert serves(port)
    freed_at = time.monotonic()
    ack = link.wait_for(Ack, lambda ack: ack.revision == 2, within_s=10)
    assert time.monotonic() - freed_at < 10
    assert (ack.digest, ack.warning) == (wanted.digest(), "")
    assert serves(taken)
    assert json.loads((node.state / "snapshot.json").read_text())["revision"] == 2
    # not once for each attempt
    assert len(link.all(Nack)) == 1
    assert node.log().count("revision 2 was not taken") == 1


def test_a_revision_that_is_no_longer_wanted_is_not_tried_again(
    station: Station, node: ManagedNode
) -> None:
    port, link = free_port(), station.conversation()
    with socket.create_server(("127.0.0.1", 0)) as taker:
        link.apply(1, snapshot(node, taker.getsockname()[1]))
        link.wait_for(Nack)
        link.apply(2, snapshot(node, port))
        link.wait_for(Ack, lambda ack: ack.revision == 2)
    beats = len(link.all(Heartbeat))
    eventually(lambda: len(link.all(Heartbeat)) > beats + 2, "some seconds pass")
    assert link.all(Heartbeat)[-1].revision == 2
    assert [ack.revision for ack in link.all(Ack)] == [2]


def test_a_document_with_faults_is_not_tried_again(station: Station, node: ManagedNode) -> None:
    link = station.conversation()
    plain = to_plain(snapshot(node, free_port()), reveal=True)
    link.wait_for(Hello)
    link.send(Apply(revision=3, digest="other", snapshot=plain))
    link.wait_for(Nack)
    beats = len(link.all(Heartbeat))
    eventually(lambda: len(link.all(Heartbeat)) > beats + 2, "some seconds pass")
    assert len(link.all(Nack)) == 1


def test_a_revision_that_cannot_be_saved_runs_with_a_warning_until_it_is(
    station: Station, node: ManagedNode
) -> None:
    port, link = free_port(), station.conversation()
    link.wait_for(Hello)
    obstacle = node.state / "snapshot.json"
    obstacle.mkdir()
    link.apply(4, snapshot(node, port))
    ack = link.wait_for(Ack)
    assert "revision 4 runs but could not be saved" in ack.warning
    assert "[crit]" in node.log()
    assert serves(port)
    # asked again, it says so again
    link.apply(4, snapshot(node, port))
    eventually(lambda: len(link.all(Ack)) == 2, "the second Ack")
    assert link.all(Ack)[1].warning == ack.warning
    obstacle.rmdir()
    link.wait_for(Ack, lambda ack: not ack.warning, within_s=10)
    assert json.loads(obstacle.read_text())["revision"] == 4
    assert node.log().count("could not be saved") == 1
