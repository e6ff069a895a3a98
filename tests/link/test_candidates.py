"""A node says what a draft would meet on its host, and changes nothing to find it out."""

import socket
from dataclasses import replace

from proxycore.contract.messages import Ack, Check, Checked, Heartbeat
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import ErrorLog, Listen, Snapshot, to_plain
from proxycore.contract.tls import DATA, Certificate, FrontTls
from tests.link.conftest import ManagedNode, snapshot
from tests.link.station import Conversation, Station
from tests.support.pki import self_signed
from tests.support.ports import free_port
from tests.unit.proxycore.daemon.serve import Imap, refuses, serves


def _checked(link: Conversation, candidate: int, draft: Snapshot) -> Checked:
    plain = to_plain(draft, reveal=True)
    link.send(Check(candidate=candidate, digest=draft.digest(), snapshot=plain))
    return link.wait_for(Checked, lambda checked: checked.candidate == candidate)


def test_a_draft_is_checked_and_not_run(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port, wanted, link = free_port(), free_port(), station.conversation()
    link.apply(1, snapshot(node, port, auth_port=auth_port))
    link.wait_for(Ack)
    draft = snapshot(node, wanted, auth_port=auth_port)
    with Imap(port) as session:
        checked = _checked(link, 9, draft)
        assert (checked.digest, checked.problems, checked.warnings) == (draft.digest(), (), ())
        assert session.ask("a NOOP") == b"a OK completed\r\n"
        assert serves(port)
        assert refuses(wanted)
    beats = len(link.all(Heartbeat))
    link.wait_for(Heartbeat, lambda beat: len(link.all(Heartbeat)) > beats and beat.revision == 1)
    assert "revision 9" not in node.log()


def test_everything_that_is_in_the_way_is_told_with_its_setting(
    station: Station, node: ManagedNode
) -> None:
    port, link = free_port(), station.conversation()
    link.apply(1, snapshot(node, port))
    link.wait_for(Ack)
    with socket.create_server(("127.0.0.1", 0)) as taker:
        taken = taker.getsockname()[1]
        draft = snapshot(node, port, taken)
        first, second = draft.servers
        mine, other = self_signed("mail.example.org"), self_signed("mail.example.org")
        proof = Certificate(
            ssl_certificate=f"{DATA}{mine.pem}",
            ssl_certificate_key=Secret(f"{DATA}{other.key_pem}"),
        )
        log = ErrorLog(target=str(node.directory / "none" / "log"))
        broken = replace(
            first,
            listens=(*first.listens, Listen(address="127.0.0.1", port=free_port(), ssl=True)),
            front_tls=FrontTls(certificates=(proof,)),
            error_logs=(log,),
        )
        checked = _checked(link, 3, replace(draft, servers=(broken, second)))
    told = {problem.path: problem.message for problem in checked.problems}
    assert "Address already in use" in told["servers[1].listens[0]"]
    assert "No such file" in told["servers[0].error_logs[0].target"]
    assert "SSL_CTX_use_PrivateKey" in told["servers[0].front_tls.certificates"]
    warned = {problem.path: problem.message for problem in checked.warnings}
    assert "cannot be reached" in warned["servers[0].auth_http.host"]


def test_a_port_of_the_nodes_own_is_not_in_the_way(station: Station, node: ManagedNode) -> None:
    """It moves to another block, and to a wildcard that covers it."""
    port, link = free_port(), station.conversation()
    link.apply(1, snapshot(node, port))
    link.wait_for(Ack)
    (server,) = snapshot(node, port).servers
    renamed = replace(server, name="renamed")
    assert _checked(link, 1, Snapshot(servers=(renamed,))).problems == ()
    wildcard = replace(server, listens=(Listen(address="*", port=port),))
    assert _checked(link, 2, Snapshot(servers=(wildcard,))).problems == ()
    assert serves(port)


def test_a_new_node_checks_before_it_runs_anything(station: Station, node: ManagedNode) -> None:
    port, link = free_port(), station.conversation()
    assert _checked(link, 1, snapshot(node, port)).problems == ()
    assert refuses(port)
    assert not (node.state / "snapshot.json").exists()


def test_a_draft_that_is_understood_apart_is_said_so(station: Station, node: ManagedNode) -> None:
    link = station.conversation()
    plain = to_plain(snapshot(node, free_port()), reveal=True)
    link.send(Check(candidate=4, digest="other", snapshot=plain))
    (problem,) = link.wait_for(Checked).problems
    assert "digest" in problem.message
