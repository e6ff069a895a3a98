"""What there is to look at, and how it is reached."""

from dataclasses import replace

import pytest

from appliance.proof.targets import MAX_NAMES, plan, reach
from proxycore.contract.listen import Listen
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.server import AuthHttp, Server
from proxycore.contract.tls import DATA, Certificate, FrontTls
from tests.support.pki import Pair, self_signed

ONE = self_signed("mail.example.com", "192.0.2.1")


def block(name: str, pair: Pair, *listens: Listen, names: tuple[str, ...] = ()) -> Server:
    certificate = Certificate(
        ssl_certificate=DATA + pair.pem, ssl_certificate_key=Secret(DATA + pair.key_pem)
    )
    return Server(
        name=name,
        protocol=Protocol.IMAP,
        listens=listens or (Listen(port=993, ssl=True),),
        server_names=names,
        auth_http=AuthHttp(host="127.0.0.1"),
        front_tls=FrontTls(certificates=(certificate,)),
    )


def test_names_of_certificates_and_blocks_are_asked_for_and_none() -> None:
    server = block("imap", ONE, names=("_", ".example.net", "*.example.org", "box.example.com"))
    names = [target.name for target in plan((server,)).targets]
    assert names == ["", "example.net", "box.example.com", "mail.example.com"]


def test_a_listener_without_tls_is_not_looked_at() -> None:
    server = block("imap", ONE, Listen(port=143))
    assert plan((server,)).targets == ()
    starttls = replace(server, front_tls=replace(server.front_tls, starttls="on"))
    assert {target.is_implicit for target in plan((starttls,)).targets} == {False}


def test_an_address_that_a_wildcard_covers_is_looked_at_by_itself() -> None:
    two = self_signed("two.example.com")
    precise = Listen(address="192.0.2.1", port=993, ssl=True)
    found = plan((block("any", ONE), block("one", two, precise))).targets
    by_key = {target.listen.key: target.server.name for target in found}
    assert by_key == {"*:993": "any", "192.0.2.1:993": "one"}


def test_of_many_names_some_are_left_out_and_counted() -> None:
    many = self_signed(*(f"h{i}.example.com" for i in range(MAX_NAMES + 5)))
    found = plan((block("imap", many),))
    assert (len(found.targets), found.left_out) == (MAX_NAMES + 1, 5)


@pytest.mark.parametrize(
    ("address", "probe", "peer", "host"),
    [
        ("*", "", "192.0.2.7", "192.0.2.7"),
        ("*", "198.51.100.1", "192.0.2.7", "198.51.100.1"),
        ("*", "mail.example.com", "", "mail.example.com"),
        ("::", "", "2001:db8::7", "2001:db8::7"),
        ("::", "", "127.0.0.1", "::1"),
        ("*", "", "2001:db8::7", ""),
        ("192.0.2.9", "198.51.100.1", "192.0.2.7", "192.0.2.9"),
        ("127.0.0.1", "", "127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "", "192.0.2.7", ""),
        ("unix:/run/imap", "", "192.0.2.7", ""),
        ("mail.example.com", "", "192.0.2.7", "mail.example.com"),
        ("mail.example.com", "192.0.2.8", "192.0.2.7", "192.0.2.8"),
    ],
)
def test_where_a_listener_is_reached(address: str, probe: str, peer: str, host: str) -> None:
    found = reach(Listen(address=address, port=993, ssl=True), probe, peer)
    assert found.host == host
    assert bool(found.why_not) is not bool(host)
