"""Two programs of one node: one link, handed over, and taken back when the new one ends."""

import os
import signal

from proxycore.contract.messages import Ack, Heartbeat, Hello, Invalidate
from tests.link.conftest import ManagedNode, log_in, snapshot
from tests.link.station import Conversation, Station
from tests.support import process
from tests.support.ports import free_port
from tests.support.wait import eventually
from tests.unit.proxycore.daemon.serve import serves


def begin(station: Station, node: ManagedNode, port: int, auth_port: int) -> Hello:
    """Have the node run revision 7; gives what the old program said."""
    link = station.conversation()
    hello = link.wait_for(Hello)
    link.apply(7, snapshot(node, port, auth_port=auth_port))
    link.wait_for(Ack)
    link.send(Invalidate(generation=41))
    link.wait_for(Heartbeat, lambda beat: beat.generation == 41)
    return hello


def upgrade(station: Station, node: ManagedNode) -> tuple[int, Conversation]:
    """Send USR2; gives the new program's process id and its conversation."""
    number = len(station.conversations)
    node.signal(signal.SIGUSR2)
    link = station.conversation(number)
    link.wait_for(Hello)
    started = node.log().rpartition("start new binary process ")[2]
    return int(started.split()[0]), link


def end(new: int) -> None:
    os.kill(new, signal.SIGTERM)
    eventually(lambda: not process.is_alive(new), "the new program ends")


def test_the_new_program_has_the_link_and_the_old_one_keeps_its_sessions(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port = free_port()
    old = begin(station, node, port, auth_port)
    with log_in(port) as session:
        new, link = upgrade(station, node)
        hello = link.wait_for(Hello)
        assert hello.boot_id != old.boot_id
        assert (hello.revision, hello.workers) == (7, 1)
        assert station.conversations[0].ended.wait(5)
        node.signal(signal.SIGQUIT)
        assert node.log_contains("does not accept sessions any more")
        assert session.ask("b NOOP") == b"b OK done\r\n"
        # more heartbeats of the new one, and no other connection
        heard = len(link.all(Heartbeat))
        eventually(lambda: len(link.all(Heartbeat)) > heard + 1, "it goes on reporting")
        assert {beat.boot_id for beat in link.all(Heartbeat)} == {hello.boot_id}
    assert node.ended(5) == 0
    assert len(station.conversations) == 2
    link.apply(8, snapshot(node, port, auth_port=auth_port))
    link.wait_for(Ack, lambda ack: ack.revision == 8)
    with log_in(port):
        pass
    end(new)


def test_a_new_program_that_cannot_start_does_not_touch_the_link(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port = free_port()
    old = begin(station, node, port, auth_port)
    (node.state / "snapshot.json").write_text("{")
    node.signal(signal.SIGUSR2)
    eventually(lambda: "exited with code 1" in node.log(), "the new one gives up")
    link = station.conversations[0]
    beats = len(link.all(Heartbeat))
    eventually(lambda: len(link.all(Heartbeat)) > beats, "the old one reports")
    assert link.all(Heartbeat)[-1].boot_id == old.boot_id
    assert len(station.conversations) == 1
    assert serves(port)


def test_the_old_program_takes_the_link_back_when_the_new_one_dies(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port = free_port()
    old = begin(station, node, port, auth_port)
    new, _ = upgrade(station, node)
    os.kill(new, signal.SIGKILL)
    again = station.conversation(2).wait_for(Hello)
    assert (again.boot_id, again.revision) == (old.boot_id, 7)
    # it was told of no change meanwhile, so it asks to be told
    assert again.generation == 0
    assert serves(port)
    station.conversation(2).send(Invalidate(generation=42))
    station.conversation(2).wait_for(Heartbeat, lambda beat: beat.generation == 42)


def test_going_back_the_old_program_has_the_link_while_the_new_one_finishes(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port = free_port()
    old = begin(station, node, port, auth_port)
    new, _ = upgrade(station, node)
    node.signal(signal.SIGWINCH)
    eventually(lambda: node.workers() == [new], "the old one's worker is gone")
    with log_in(port) as session:
        node.signal(signal.SIGHUP)
        eventually(lambda: len(node.workers()) == 2, "the old one serves again")
        os.kill(new, signal.SIGQUIT)
        assert station.conversation(2).wait_for(Hello).boot_id == old.boot_id
        assert session.ask("b NOOP") == b"b OK done\r\n"
        assert serves(port)
        assert process.is_alive(new)
    eventually(lambda: not process.is_alive(new), "the new one ends after its last session")
    assert serves(port)


def test_what_a_node_is_to_forget_may_be_single_logins(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port = free_port()
    begin(station, node, port, auth_port)
    link = station.conversation()
    link.send(Invalidate(generation=42, since=41, logins=("alice", "zoë")))
    link.wait_for(Heartbeat, lambda beat: beat.generation == 42)
