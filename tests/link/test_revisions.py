"""A node runs what it was told last, says so, and keeps it."""

import json
import signal
import socket
from dataclasses import replace

from proxycore.contract.messages import Ack, Apply, Heartbeat, Hello, Invalidate, Nack
from proxycore.contract.snapshot import from_plain, to_plain
from tests.link.conftest import ManagedNode, snapshot
from tests.link.station import Station
from tests.support.ports import free_port
from tests.support.wait import eventually
from tests.unit.proxycore.daemon.serve import Imap, refuses, serves


def test_a_new_node_says_that_it_runs_nothing_and_runs_what_it_is_given(
    station: Station, node: ManagedNode
) -> None:
    port, link = free_port(), station.conversation()
    hello = link.wait_for(Hello)
    assert (hello.revision, hello.digest, hello.generation) == (0, "", 0)
    wanted = snapshot(node, port)
    link.apply(7, wanted)
    ack = link.wait_for(Ack)
    assert (ack.revision, ack.digest) == (7, wanted.digest())
    assert serves(port)
    beat = link.wait_for(Heartbeat, lambda beat: beat.revision == 7)
    assert (beat.digest, beat.workers, beat.boot_id) == (wanted.digest(), 1, hello.boot_id)


def test_an_acknowledged_revision_is_on_disk_and_private(
    station: Station, node: ManagedNode
) -> None:
    link = station.conversation()
    wanted = snapshot(node, free_port())
    link.apply(7, wanted)
    link.wait_for(Ack)
    file = node.state / "snapshot.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert node.state.stat().st_mode & 0o777 == 0o700
    saved = json.loads(file.read_text())
    assert (saved["revision"], from_plain(saved["snapshot"])) == (7, wanted)


def test_a_taken_port_is_refused_with_its_path_and_changes_nothing(
    station: Station, node: ManagedNode
) -> None:
    port, link = free_port(), station.conversation()
    link.apply(1, snapshot(node, port))
    link.wait_for(Ack)
    with Imap(port) as session, socket.create_server(("127.0.0.1", 0)) as taker:
        taken = taker.getsockname()[1]
        link.apply(2, snapshot(node, port, taken))
        nack = link.wait_for(Nack)
        assert nack.revision == 2
        (problem,) = nack.problems
        assert problem.path == "servers[1].listens[0]"
        assert "Address already in use" in problem.message
        assert session.ask("a NOOP") == b"a OK completed\r\n"
    assert json.loads((node.state / "snapshot.json").read_text())["revision"] == 1
    link.apply(2, snapshot(node, port, taken))
    link.wait_for(Ack, lambda ack: ack.revision == 2)
    assert serves(taken)


def test_a_document_with_faults_is_refused_naming_each(station: Station, node: ManagedNode) -> None:
    link = station.conversation()
    plain = to_plain(snapshot(node, free_port()), reveal=True)
    plain["servers"][0]["timeout_ms"] = 0
    plain["servers"][0]["bogus"] = 1
    link.send(Apply(revision=3, digest="", snapshot=plain))
    nack = link.wait_for(Nack)
    assert {problem.path for problem in nack.problems} == {
        "servers[0].timeout_ms",
        "servers[0].bogus",
    }


def test_a_digest_that_does_not_match_is_refused(station: Station, node: ManagedNode) -> None:
    link = station.conversation()
    plain = to_plain(snapshot(node, free_port()), reveal=True)
    link.send(Apply(revision=3, digest="other", snapshot=plain))
    assert "digest" in link.wait_for(Nack).problems[0].message


def test_a_repeated_apply_is_acknowledged_again(station: Station, node: ManagedNode) -> None:
    port, link = free_port(), station.conversation()
    link.apply(1, snapshot(node, port))
    link.wait_for(Ack)
    link.apply(1, snapshot(node, port))
    eventually(lambda: len(link.all(Ack)) == 2, "the second Ack")
    assert node.log().count("revision 1 is in force") == 1


def test_the_same_content_under_another_number_is_taken(
    station: Station, node: ManagedNode
) -> None:
    port, link = free_port(), station.conversation()
    link.apply(1, snapshot(node, port))
    link.apply(2, snapshot(node, port))
    link.wait_for(Ack, lambda ack: ack.revision == 2)
    link.wait_for(Heartbeat, lambda beat: beat.revision == 2)


def test_messages_that_are_none_do_not_end_the_conversation(
    station: Station, node: ManagedNode
) -> None:
    link = station.conversation()
    link.wait_for(Hello)
    for frame in ("", "{", "[]", '{"type": "unknown"}', '{"type": "apply"}', "\x00"):
        link.socket.send(frame)
    link.socket.send(b"\xff\xfe")
    link.send(link.wait_for(Hello))  # a message, but not for a node
    link.apply(1, snapshot(node, free_port()))
    link.wait_for(Ack)
    assert len(station.conversations) == 1


def test_an_apply_that_got_lost_is_mended_by_the_heartbeat(
    station: Station, node: ManagedNode
) -> None:
    """The station compares, as the appliance does, and sends what the node lacks."""
    port, link = free_port(), station.conversation()
    link.apply(1, snapshot(node, port))
    link.wait_for(Ack)
    station.stop()  # revision 2 is published now, and the doorbell rings in vain
    moved = free_port()
    station.start()
    again = station.conversation(1)
    assert again.wait_for(Hello).revision == 1
    again.apply(2, snapshot(node, moved))
    again.wait_for(Ack, lambda ack: ack.revision == 2)
    assert serves(moved)
    assert refuses(port)


def test_a_generation_is_reported_once_every_worker_has_it(
    station: Station, node: ManagedNode
) -> None:
    link = station.conversation()
    link.apply(1, snapshot(node, free_port()))
    link.wait_for(Ack)
    link.send(Invalidate(generation=41))
    link.wait_for(Heartbeat, lambda beat: beat.generation == 41, within_s=5)
    link.socket.close()
    assert station.conversation(1).wait_for(Hello).generation == 41


def test_a_node_starts_from_its_disk_when_there_is_no_appliance(
    station: Station, node: ManagedNode
) -> None:
    port, link = free_port(), station.conversation()
    wanted = snapshot(node, port)
    link.apply(5, wanted)
    link.wait_for(Ack)
    station.stop()
    assert node.stop() == 0
    node.launch_only()
    eventually(lambda: serves(port), "it serves without an appliance")
    station.start()
    hello = station.conversation(1).wait_for(Hello)
    assert (hello.revision, hello.digest) == (5, wanted.digest())


def test_a_saved_revision_is_tried_again_until_its_port_is_free(
    station: Station, node: ManagedNode
) -> None:
    port, link = free_port(), station.conversation()
    link.apply(5, snapshot(node, port))
    link.wait_for(Ack)
    station.stop()
    node.stop()
    with socket.create_server(("127.0.0.1", port)):
        node.launch_only()
        assert node.log_contains("revision 5 was not taken")
    eventually(lambda: serves(port), "it serves once the port is free")


def test_a_damaged_file_is_said_and_waits_for_the_appliance(
    station: Station, node: ManagedNode
) -> None:
    link = station.conversation()
    link.wait_for(Hello)
    node.stop()
    (node.state / "snapshot.json").write_text("{")
    node.launch_only()
    assert station.conversation(1).wait_for(Hello).revision == 0
    assert "is not usable" in node.log()


def test_sessions_and_listeners_do_not_notice_that_the_appliance_is_gone(
    station: Station, node: ManagedNode
) -> None:
    port, link = free_port(), station.conversation()
    link.apply(1, snapshot(node, port))
    link.wait_for(Ack)
    with Imap(port) as session:
        station.stop()
        assert session.ask("a NOOP") == b"a OK completed\r\n"
        assert serves(port)
        assert node.log_contains("control link: ")


def test_hup_connects_at_once(station: Station, node: ManagedNode) -> None:
    link = station.conversation()
    link.wait_for(Hello)
    node.signal(signal.SIGHUP)
    station.conversation(1, within_s=3).wait_for(Hello)
    assert link.ended.wait(5)


def test_secrets_reach_neither_log_nor_console(station: Station, node: ManagedNode) -> None:
    link = station.conversation()
    wanted = snapshot(node, free_port())
    link.apply(1, replace(wanted))
    link.wait_for(Ack)
    assert station.token not in node.log()
