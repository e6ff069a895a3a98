"""A node answers certificate authorities on the addresses it is told, and only as long as told."""

import http.client
import socket

from proxycore.contract.messages import Ack, Challenges, Heartbeat, HttpAddress
from proxycore.daemon.http_answers import MAX_REQUEST_BYTES
from tests.link.conftest import ManagedNode, snapshot
from tests.link.station import Conversation, Station
from tests.support.ports import free_port
from tests.unit.proxycore.daemon.serve import refuses

TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
PATH = f"/.well-known/acme-challenge/{TOKEN}"


def ask(port: int, method: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def challenges(digest: str, port: int = 0, **answers: str) -> Challenges:
    listen = (HttpAddress(address="127.0.0.1", port=port),) if port else ()
    return Challenges(digest=digest, listen=listen, answers=answers)


def heard(link: Conversation, digest: str) -> Heartbeat:
    return link.wait_for(Heartbeat, lambda beat: beat.challenges == digest)


def test_what_is_asked_for_is_answered_until_it_is_no_more(
    station: Station, node: ManagedNode
) -> None:
    port, link = free_port(), station.conversation()
    link.send(challenges("one", port, **{TOKEN: "key-authorization"}))
    assert heard(link, "one").challenge_problems == ()
    assert ask(port, "GET", PATH) == (200, b"key-authorization")
    assert ask(port, "HEAD", PATH) == (200, b"")
    assert ask(port, "GET", "/")[0] == 404
    assert ask(port, "POST", PATH)[0] == 404
    link.send(challenges("two", port))
    heard(link, "two")
    assert ask(port, "GET", PATH)[0] == 404
    link.send(challenges(""))
    link.wait_for(Heartbeat, lambda beat: beat is link.heard[-1] and not beat.challenges)
    assert refuses(port)


def test_a_request_without_end_is_cut_short(station: Station, node: ManagedNode) -> None:
    port, link = free_port(), station.conversation()
    link.send(challenges("one", port, **{TOKEN: "key-authorization"}))
    heard(link, "one")
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * MAX_REQUEST_BYTES)
        assert client.recv(100).startswith(b"HTTP/1.1 404 ")


def test_a_taken_port_is_told_and_costs_nothing_else(station: Station, node: ManagedNode) -> None:
    port, mail_port, link = free_port(), free_port(), station.conversation()
    with socket.create_server(("127.0.0.1", port)):
        link.send(challenges("one", port, **{TOKEN: "key-authorization"}))
        beat = heard(link, "one")
        (problem,) = beat.challenge_problems
        assert problem.path == "acme_http_listen[0]"
        assert "Address already in use" in problem.message
        link.apply(1, snapshot(node, mail_port))
        link.wait_for(Ack)
    # freed by whoever had it: nobody has to do anything
    link.wait_for(
        Heartbeat, lambda beat: beat is link.heard[-1] and not beat.challenge_problems, within_s=10
    )
    assert ask(port, "GET", PATH) == (200, b"key-authorization")
