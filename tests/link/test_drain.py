"""A node drains: no new clients, sessions go on, and back; also over a restart and a reconnect."""

import socket

from proxycore.contract.messages import Ack, Drain, Heartbeat, Hello
from tests.link.conftest import ManagedNode, log_in, snapshot
from tests.link.station import Station
from tests.support.ports import free_port
from tests.support.wait import eventually
from tests.unit.proxycore.daemon.serve import refuses, serves


def test_a_drained_node_keeps_its_sessions_and_takes_no_others(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port, link = free_port(), station.conversation()
    link.apply(1, snapshot(node, port, auth_port=auth_port))
    digest = link.wait_for(Ack).digest
    with log_in(port) as session:
        link.send(Drain(is_wanted=True))
        said = link.wait_for(Heartbeat, lambda beat: beat.is_draining)
        eventually(lambda: refuses(port), "nobody listens")
        assert session.ask("b NOOP") == b"b OK done\r\n"
        assert (said.revision, said.digest) == (1, digest)
        eventually(lambda: link.all(Heartbeat)[-1].sessions == 1, "what remains is told")
        link.send(Drain(is_wanted=False))
        eventually(lambda: serves(port), "it serves again")
        assert session.ask("c NOOP") == b"c OK done\r\n"
        eventually(lambda: not link.all(Heartbeat)[-1].is_draining, "it says so")
    with log_in(port):
        pass


def test_a_revision_for_a_drained_node_is_taken_and_served_when_it_may(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    old, new, link = free_port(), free_port(), station.conversation()
    link.apply(1, snapshot(node, old, auth_port=auth_port))
    link.wait_for(Ack)
    link.send(Drain(is_wanted=True))
    link.wait_for(Heartbeat, lambda beat: beat.is_draining)
    link.apply(2, snapshot(node, new, auth_port=auth_port))
    link.wait_for(Ack, lambda ack: ack.revision == 2)
    assert refuses(old)
    assert refuses(new)
    link.send(Drain(is_wanted=False))
    eventually(lambda: serves(new), "the new revision is served")
    assert refuses(old)


def test_it_is_still_drained_after_a_restart_without_an_appliance(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port, link = free_port(), station.conversation()
    link.apply(1, snapshot(node, port, auth_port=auth_port))
    link.wait_for(Ack)
    link.send(Drain(is_wanted=True))
    link.wait_for(Heartbeat, lambda beat: beat.is_draining)
    station.stop()
    node.stop()
    node.start()
    assert node.log_contains("revision 1 is in force, as last saved")
    assert refuses(port)
    station.start()
    again = station.conversation(1)
    hello = again.wait_for(Hello)
    assert (hello.is_draining, hello.revision) == (True, 1)
    assert hello.load is not None
    assert hello.clock > 1_700_000_000
    again.send(Drain(is_wanted=False))
    eventually(lambda: serves(port), "it serves again")


def test_a_taken_port_keeps_it_drained_until_it_is_free(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port, link = free_port(), station.conversation()
    link.apply(1, snapshot(node, port, auth_port=auth_port))
    link.wait_for(Ack)
    link.send(Drain(is_wanted=True))
    link.wait_for(Heartbeat, lambda beat: beat.is_draining)
    eventually(lambda: refuses(port), "nobody listens")
    with socket.create_server(("127.0.0.1", port)):
        link.send(Drain(is_wanted=False))
        assert node.log_contains("the node stays drained")
        assert link.all(Heartbeat)[-1].is_draining
    link.send(Drain(is_wanted=False))
    eventually(lambda: serves(port), "it serves again")
