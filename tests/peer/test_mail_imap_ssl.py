"""mail_imap_ssl: certificates of clients, and what the auth service is told of them."""

import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes

from tests.peer.numbered import holds, like, ok
from tests.peer.stage import Stage, staged, to
from tests.support.pki import Pair, self_signed
from tests.support.strangers import trusting
from tests.support.stub_auth import Request
from tests.support.stub_backends import ImapStub
from tests.support.talk import Imap, plain

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    auth_http_pass_client_cert on;
    proxy_timeout 15s;
    ssl_certificate @DIR_OF_KEYS@/1.crt;
    ssl_certificate_key @DIR_OF_KEYS@/1.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    server { listen @1@; protocol imap; }
    server {
        listen @2@ ssl;
        protocol imap;
        ssl_verify_client on;
        ssl_client_certificate @DIR_OF_KEYS@/2.crt;
    }
    server {
        listen @3@ ssl;
        protocol imap;
        ssl_verify_client optional;
        ssl_client_certificate @DIR_OF_KEYS@/2.crt;
    }
    server {
        listen @4@ ssl;
        protocol imap;
        ssl_verify_client optional;
        ssl_client_certificate @DIR_OF_KEYS@/2.crt;
        ssl_trusted_certificate @DIR_OF_KEYS@/3.crt;
    }
    server {
        listen @5@ ssl;
        protocol imap;
        ssl_verify_client optional_no_ca;
        ssl_client_certificate @DIR_OF_KEYS@/2.crt;
    }
"""
_OF_A_CERTIFICATE = ("Subject", "Issuer", "Serial", "Fingerprint", "Cert")


@dataclass(frozen=True)
class House:
    """The stage, and the certificates 1 to 3."""

    stage: Stage
    pairs: tuple[Pair, ...]
    directory: Path

    def connect(self, server: int, number: int = 0) -> Imap:
        """Connect by TLS, with the certificate of this number if there is one."""
        talk = Imap(self.stage.ports[server - 1])
        identity = (self.pairs[number - 1], self.directory) if number else None
        return talk.seal(trusting(identity=identity))

    def asked(self, talk: Imap, password: str) -> Request:
        """Log in with this password, and give what the auth service was asked."""
        talk.send(f"1 AUTHENTICATE PLAIN {plain('test@example.com', password)}")
        assert re.search(talk.ok, talk.line())
        (request,) = [r for r in self.stage.auth.requests if r["Auth-Pass"] == password]
        return request

    def telling(self, request: Request, number: int) -> list[str]:
        """Give all that is to be told of a certificate; nginx's own test looks at the letters."""
        name = f"CN={number}.example.com"
        pair = self.pairs[number - 1]
        escaped = pair.pem.replace(" ", "%20").replace("\n", "%0A")
        return [
            "Auth-SSL: on",
            f"Auth-SSL-Protocol: {request['Auth-SSL-Protocol']}",
            f"Auth-SSL-Cipher: {request['Auth-SSL-Cipher']}",
            f"Auth-SSL-Verify: {request['Auth-SSL-Verify']}",
            f"Auth-SSL-Subject: {name}",
            f"Auth-SSL-Issuer: {name}",
            f"Auth-SSL-Serial: {pair.certificate.serial_number:04X}",
            f"Auth-SSL-Fingerprint: {pair.certificate.fingerprint(hashes.SHA1()).hex()}",
            f"Auth-SSL-Cert: {escaped}",
        ]


@pytest.fixture(scope="module")
def house(
    kind: str, imap_backend: ImapStub, tmp_path_factory: pytest.TempPathFactory
) -> Generator[House, None, None]:
    directory = tmp_path_factory.mktemp("keys")
    pairs = tuple(self_signed(f"{number}.example.com", kind="rsa") for number in (1, 2, 3))
    for number, pair in enumerate(pairs, 1):
        pair.write(directory, str(number))
    words = {"DIR_OF_KEYS": directory}
    with staged(kind, _MAIL, lambda _: to(imap_backend), words=words) as running:
        yield House(running, pairs, directory)


def test_01_08_without_tls(house: House) -> None:
    with Imap(house.stage.ports[0]) as talk:
        ok(1, talk)
        request = house.asked(talk, "s1")
    holds(8, _told(request) == [], _told(request))


def test_02_a_certificate_is_required(house: House) -> None:
    with house.connect(2) as talk:
        like(2, talk.line(), "BYE No required SSL certificate")


def test_03_09_a_certificate_is_not_given(house: House) -> None:
    with house.connect(3) as talk:
        ok(3, talk)
        request = house.asked(talk, "s2")
    holds(9, request["Auth-SSL"] == "on")
    holds(9, request["Auth-SSL-Verify"] == "NONE")
    holds(9, not [name for name in _OF_A_CERTIFICATE if request.has(f"Auth-SSL-{name}")])


def test_04_a_certificate_of_a_stranger(house: House) -> None:
    with house.connect(4, 1) as talk:
        like(4, talk.line(), "BYE SSL certificate error")


def test_05_10_13_a_stranger_is_let_in_and_told_about(house: House) -> None:
    with house.connect(5, 1) as talk:
        ok(5, talk)
        request = house.asked(talk, "s3")
        cipher = talk.tls.cipher()
        version = talk.tls.version()
    like(10, request["Auth-SSL-Verify"], "^FAILED")
    holds(10, _told(request) == house.telling(request, 1), _told(request))
    assert cipher is not None
    holds(13, request["Auth-SSL-Cipher"] == cipher[0], request["Auth-SSL-Cipher"])
    holds(13, request["Auth-SSL-Protocol"] == version, request["Auth-SSL-Protocol"])


def test_06_11_a_certificate_that_is_trusted(house: House) -> None:
    with house.connect(4, 2) as talk:
        ok(6, talk)
        request = house.asked(talk, "s4")
    like(11, request["Auth-SSL-Verify"], "^SUCCESS$")
    holds(11, _told(request) == house.telling(request, 2), _told(request))


def test_07_12_a_certificate_that_is_trusted_and_not_asked_for(house: House) -> None:
    with house.connect(4, 3) as talk:
        ok(7, talk)
        request = house.asked(talk, "s5")
    like(12, request["Auth-SSL-Verify"], "^SUCCESS$")
    holds(12, _told(request) == house.telling(request, 3), _told(request))


def _told(request: Request) -> list[str]:
    return [line for line in request.lines if line.startswith("Auth-SSL")]
