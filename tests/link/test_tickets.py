"""Session ticket keys of the appliance: resumption at every node, across rotation and restart."""

import base64
import os
import subprocess
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from proxycore.contract.messages import Ack, Heartbeat, Tickets
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthHttp, Snapshot
from tests.link.conftest import ManagedNode
from tests.link.station import Conversation, Station
from tests.link.test_tls import ONE, secured
from tests.support.ports import free_port
from tests.support.require import program
from tests.unit.proxycore.daemon.tls_client import Client

KEYS = [Secret(base64.b64encode(os.urandom(80)).decode()) for _ in range(5)]


def tickets(number: int) -> Tickets:
    """The set after so many rotations: the current key, the one before, the next."""
    past = KEYS[number - 1 : number]
    return Tickets(number=number + 1, keys=(KEYS[number], *past, KEYS[number + 1]))


class Fleet:
    """Two nodes with one configuration."""

    def __init__(self, nodes: list[ManagedNode], links: list[Conversation]) -> None:
        self.nodes, self.links = nodes, links
        self.ports = [free_port() for _ in nodes]
        for node, link, port in zip(nodes, links, self.ports, strict=True):
            plain = secured(node, port, ONE, ONE)
            # sessions belong to a block by its name; ports differ, as they do not on two hosts
            link.apply(1, _named(plain))
            link.wait_for(Ack)

    def rotate(self, number: int) -> None:
        for link in self.links:
            link.send(tickets(number))
            link.wait_for(Heartbeat, lambda beat: beat.tickets == number + 1)


def _named(plain: Snapshot) -> Snapshot:
    (server,) = plain.servers
    return replace(plain, servers=(replace(server, name="imaps"),))


@pytest.fixture
def fleet(station: Station, node: ManagedNode) -> Generator[Fleet, None, None]:
    first = station.conversation()
    with ManagedNode(station.url) as other:
        yield Fleet([node, other], [first, station.conversation(1)])


def shake(port: int, *options: str) -> bool:
    """Shake hands as openssl does; tell whether a session was resumed."""
    done = subprocess.run(
        [program("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-ign_eof", *options],
        input=b"z LOGOUT\r\n",
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert b"* BYE" in done.stdout, done.stderr
    return b"\nReused, " in done.stdout


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_session_is_resumed_at_every_node_and_for_one_rotation(
    fleet: Fleet, tmp_path: Path, version: str
) -> None:
    here, there = fleet.ports
    fleet.rotate(1)
    out, into = str(tmp_path / "session"), ("-sess_in", str(tmp_path / "session"), version)
    assert not shake(here, "-sess_out", out, version)
    assert shake(there, *into)
    fleet.rotate(2)
    assert shake(there, *into)
    assert shake(here, *into)
    fleet.rotate(3)
    assert not shake(there, *into)
    assert not shake(here, *into)


def test_the_next_key_is_understood_before_it_is_used(fleet: Fleet, tmp_path: Path) -> None:
    here, there = fleet.ports
    fleet.rotate(1)
    # one node hears of the rotation, the other has not yet
    fleet.links[0].send(tickets(2))
    fleet.links[0].wait_for(Heartbeat, lambda beat: beat.tickets == 3)
    out = str(tmp_path / "session")
    assert not shake(here, "-sess_out", out)
    assert shake(there, "-sess_in", out)


def test_keys_survive_a_restart_without_the_appliance(
    station: Station, fleet: Fleet, tmp_path: Path
) -> None:
    fleet.rotate(1)
    node, port, out = fleet.nodes[0], fleet.ports[0], str(tmp_path / "session")
    assert not shake(port, "-sess_out", out)
    file = node.state / "ticket.keys.json"
    assert file.stat().st_mode & 0o777 == 0o600
    node.stop()
    station.stop()
    node.start()
    node.wait_for_port(port)
    assert shake(port, "-sess_in", out)
    assert shake(fleet.ports[1], "-sess_in", out)
    assert not any(key.reveal() in node.log() for key in KEYS)


def test_a_session_that_is_relayed_does_not_notice_a_rotation(fleet: Fleet, auth_port: int) -> None:
    node, link, port = fleet.nodes[0], fleet.links[0], fleet.ports[0]
    plain = _named(secured(node, port, ONE, ONE))
    asked = AuthHttp(host="127.0.0.1", port=auth_port)
    link.apply(2, replace(plain, servers=(replace(plain.servers[0], auth_http=asked),)))
    link.wait_for(Ack, lambda ack: ack.revision == 2)
    workers = node.workers()
    with Client().connected(port) as session:
        session.sendall(b"a LOGIN alice secret\r\n")
        assert session.recv(1000).startswith(b"a OK")
        for number in (1, 2, 3):
            fleet.rotate(number)
        assert node.workers() == workers, node.log()
