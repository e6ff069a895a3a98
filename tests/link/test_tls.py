"""Certificates come with revisions; what cannot be used is refused, and sessions go on."""

from dataclasses import replace

from proxycore.contract.messages import Ack, Nack
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import Snapshot
from proxycore.contract.tls import Certificate, FrontTls
from tests.link.conftest import ManagedNode, snapshot
from tests.link.station import Station
from tests.support.pki import Pair, self_signed
from tests.support.ports import free_port
from tests.unit.proxycore.daemon.tls_client import Client, serves

ONE, OTHER = self_signed("one.example"), self_signed("other.example")


def secured(node: ManagedNode, port: int, pair: Pair, key: Pair) -> Snapshot:
    plain = snapshot(node, port)
    certificate = Certificate(
        ssl_certificate="data:" + pair.pem, ssl_certificate_key=Secret("data:" + key.key_pem)
    )
    (server,) = plain.servers
    listens = tuple(replace(listen, ssl=True) for listen in server.listens)
    tls = FrontTls(certificates=(certificate,))
    return replace(plain, servers=(replace(server, listens=listens, front_tls=tls),))


def test_another_certificate_is_served_at_once_and_a_bad_one_never(
    station: Station, node: ManagedNode
) -> None:
    port, link = free_port(), station.conversation()
    link.apply(1, secured(node, port, ONE, ONE))
    link.wait_for(Ack)
    with Client().connected(port) as session:
        assert serves(port, ONE)
        link.apply(2, secured(node, port, OTHER, OTHER))
        link.wait_for(Ack, lambda ack: ack.revision == 2)
        assert serves(port, OTHER)
        link.apply(3, secured(node, port, ONE, OTHER))
        nack = link.wait_for(Nack)
        assert nack.revision == 3
        assert [problem.path for problem in nack.problems] == ["servers[0].front_tls.certificates"]
        assert nack.problems[0].message.startswith("SSL_CTX_use_PrivateKey(")
        assert serves(port, OTHER)
        session.sendall(b"a NOOP\r\n")
        assert session.recv(100) == b"a OK completed\r\n"
    assert OTHER.key_pem.splitlines()[1] not in node.log()


def test_tickets_are_good_after_a_restart(station: Station, node: ManagedNode) -> None:
    port, link, client = free_port(), station.conversation(), Client()
    link.apply(1, secured(node, port, ONE, ONE))
    link.wait_for(Ack)
    session = client.session(port)
    node.stop()
    node.start()
    node.wait_for_port(port)
    assert client.resumes(port, session)
    secret = node.state / "ticket.secret"
    assert secret.stat().st_mode & 0o777 == 0o600
