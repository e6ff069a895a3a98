"""What an auth service is asked, octet by octet: logins inside TLS, and certificates of clients."""

import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from tests.peer.stage import Stage, staged
from tests.support.pki import Authority, Pair
from tests.support.strangers import trusting
from tests.support.talk import Imap, Pop3, Smtp, Talk, plain

_MAIL = """
    auth_http http://@AUTH@/auth;
    auth_http_header X-Key last;
    server_name mx.example.com;
    proxy_timeout 15s;
    ssl_certificate @CRT@;
    ssl_certificate_key @KEY@;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_client_certificate @AUTHORITY@;
    server { listen @1@; protocol imap; starttls on; }
    server { listen @2@; protocol pop3; starttls on; }
    server { listen @3@; protocol smtp; starttls on; }
    server { listen @4@ ssl; protocol imap; ssl_verify_client on; }
    server {
        listen @5@ ssl;
        protocol imap;
        ssl_verify_client optional;
        auth_http_pass_client_cert on;
    }
"""
_TEMPLATE = """\
GET /auth HTTP/1.0
Host: 127.0.0.1
Auth-Method: plain
Auth-User: u
Auth-Pass: p
Auth-Protocol: {protocol}
Auth-Login-Attempt: 1
Client-IP: 127.0.0.1
{host}Auth-SSL: on
Auth-SSL-Protocol: TLSv1.3
Auth-SSL-Cipher: TLS_AES_256_GCM_SHA384
{certificate}X-Key: last

"""


@dataclass(frozen=True)
class House:
    """The stage, and who signs the clients' certificates."""

    stage: Stage
    authority: Authority
    directory: Path


@pytest.fixture(scope="module")
def house(
    kind: str, certificate: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Generator[House, None, None]:
    directory = tmp_path_factory.mktemp("clients")
    authority = Authority()
    (directory / "authority.pem").write_text(authority.pem)
    words = {**certificate, "AUTHORITY": directory / "authority.pem"}
    with staged(kind, _MAIL, lambda _: {"Auth-Status": "No"}, words=words) as running:
        yield House(running, authority, directory)


def _asked(house: House, talk: Talk, login: str) -> bytes:
    house.stage.auth.clear()
    talk.send(login)
    assert talk.rest() != ""
    (request,) = house.stage.auth.requests
    return request.common


def _wanted(certificate: str = "", protocol: str = "imap", host: str = "") -> bytes:
    text = _TEMPLATE.format(certificate=certificate, protocol=protocol, host=host)
    return text.replace("\n", "\r\n").encode("latin-1")


@pytest.mark.parametrize(
    ("kind_of_talk", "server", "starttls", "login", "protocol"),
    [
        (Imap, 1, "1 STARTTLS", "a LOGIN u p", "imap"),
        (Pop3, 2, "STLS", f"AUTH PLAIN {plain('u', 'p')}", "pop3"),
        (Smtp, 3, "STARTTLS", f"AUTH PLAIN {plain('u', 'p')}", "smtp"),
    ],
)
def test_after_starttls(
    house: House, kind_of_talk: type[Talk], server: int, starttls: str, login: str, protocol: str
) -> None:
    with kind_of_talk.greeted(house.stage.ports[server - 1]) as talk:
        assert re.search(talk.ok, talk.ask(starttls))
        talk.seal(trusting())
        host = ""
        if protocol == "smtp":
            talk.ask("EHLO me")
            host = "Client-Host: [UNAVAILABLE]\n"
        asked = _asked(house, talk, login)
    assert asked == _wanted(protocol=protocol, host=host)


_SUBJECTS = {
    "CN=client a,O=Acme\\, Inc,C=US": [
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.ORGANIZATION_NAME, "Acme, Inc"),
        (NameOID.COMMON_NAME, "client a"),
    ],
    "CN=Zo\\C3\\AB": [(NameOID.COMMON_NAME, "Zoë")],
    'CN=\\#x\\"\\;\\<y\\>\\+\\\\\\ ': [(NameOID.COMMON_NAME, '#x";<y>+\\ ')],
    "CN=a\\0D\\0AAuth-Status: OK": [(NameOID.COMMON_NAME, "a\r\nAuth-Status: OK")],
    "emailAddress=joe@example.com,CN=joe": [
        (NameOID.COMMON_NAME, "joe"),
        (NameOID.EMAIL_ADDRESS, "joe@example.com"),
    ],
    "UID=joe,DC=example,DC=com": [
        (NameOID.DOMAIN_COMPONENT, "com"),
        (NameOID.DOMAIN_COMPONENT, "example"),
        (NameOID.USER_ID, "joe"),
    ],
}


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("subject", _SUBJECTS)
def test_a_certificate(house: House, subject: str, whole: bool) -> None:
    name = x509.Name([x509.NameAttribute(*part) for part in _SUBJECTS[subject]])
    pair = house.authority.issue(subject=name, client=True)
    context = trusting(identity=(pair, house.directory))
    with Imap.greeted(house.stage.ports[4 if whole else 3], context) as talk:
        asked = _asked(house, talk, "a LOGIN u p")
    assert asked == _wanted(_told(pair, subject, whole=whole))


def _told(pair: Pair, subject: str, *, whole: bool) -> str:
    serial = f"{pair.certificate.serial_number:X}"
    lines = [
        "Auth-SSL-Verify: SUCCESS",
        f"Auth-SSL-Subject: {subject}",
        "Auth-SSL-Issuer: CN=Test Authority",
        f"Auth-SSL-Serial: {serial.zfill(len(serial) + len(serial) % 2)}",
        f"Auth-SSL-Fingerprint: {pair.certificate.fingerprint(hashes.SHA1()).hex()}",
    ]
    if whole:
        escaped = pair.pem.replace(" ", "%20").replace("\n", "%0A")
        lines.append(f"Auth-SSL-Cert: {escaped}")
    return "".join(f"{line}\n" for line in lines)


def test_no_certificate(house: House) -> None:
    with Imap.greeted(house.stage.ports[4], trusting()) as talk:
        assert _asked(house, talk, "a LOGIN u p") == _wanted("Auth-SSL-Verify: NONE\n")
