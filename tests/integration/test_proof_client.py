"""What the proof sees at a real daemon, whatever kind of listener it is."""

from collections.abc import Generator
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes

from appliance.proof.choices import Verdict
from appliance.proof.looking import Task, look_at
from appliance.proof.targets import Plan, plan, reach
from proxycore.contract.listen import Listen
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.server import AuthHttp, Server
from proxycore.contract.tls import DATA, Certificate, FrontTls
from tests.support.pki import Authority, Pair
from tests.support.ports import free_port
from tests.support.proxycore import Proxycore

AUTHORITY = Authority("Intermediate", Authority("Root"))
EC, RSA = AUTHORITY.issue("mail.example.com"), AUTHORITY.issue("mail.example.com", kind="rsa")
OTHER = AUTHORITY.issue("*.example.org")
PORTS = {name: free_port() for name in ("imaps", "proxied", "imap", "pop3", "smtp", "asking")}

CONF = """
worker_processes 2;
error_log @DIR@/logs/error.log info;
events {{}}
mail {{
    auth_http 127.0.0.1:9;
    ssl_certificate @DIR@/ec.crt; ssl_certificate_key @DIR@/ec.key;
    ssl_certificate @DIR@/rsa.crt; ssl_certificate_key @DIR@/rsa.key;
    ssl_protocols TLSv1.3;
    server {{ protocol imap; listen 127.0.0.1:{imaps} ssl; }}
    server {{ protocol imap; listen 127.0.0.1:{imaps} ssl; server_name box.example.org;
              ssl_certificate @DIR@/other.crt; ssl_certificate_key @DIR@/other.key; }}
    server {{ protocol imap; listen 127.0.0.1:{proxied} ssl proxy_protocol; }}
    server {{ protocol imap; listen 127.0.0.1:{imap}; starttls on; ssl_protocols TLSv1.2; }}
    server {{ protocol pop3; listen 127.0.0.1:{pop3}; starttls only; }}
    server {{ protocol smtp; listen 127.0.0.1:{smtp}; starttls on; smtp_greeting_delay 300ms; }}
    server {{ protocol imap; listen 127.0.0.1:{asking} ssl; ssl_verify_client on;
              ssl_client_certificate @DIR@/ec.crt; }}
}}
"""


@pytest.fixture(scope="module")
def daemon() -> Generator[Proxycore, None, None]:
    prepared = Proxycore.standalone(CONF.format(**PORTS), list(PORTS.values()), workers=2)
    for stem, pair in {"ec": EC, "rsa": RSA, "other": OTHER}.items():
        pair.write(prepared.directory, stem)
    with prepared as running:
        yield running


def block(
    name: str, protocol: Protocol, *pairs: Pair, starttls: str = "", **listen: bool
) -> Server:
    certificates = tuple(
        Certificate(
            ssl_certificate=DATA + pair.pem, ssl_certificate_key=Secret(DATA + pair.key_pem)
        )
        for pair in pairs or (EC, RSA)
    )
    return Server(
        name=name,
        protocol=protocol,
        listens=(Listen(address="127.0.0.1", port=PORTS[name], ssl=not starttls, **listen),),
        auth_http=AuthHttp(host="127.0.0.1"),
        front_tls=FrontTls(certificates=certificates, starttls=starttls or "off"),
    )


SERVERS = (
    block("imaps", Protocol.IMAP),
    replace(block("imaps", Protocol.IMAP, OTHER), name="other", server_names=("box.example.org",)),
    block("proxied", Protocol.IMAP, proxy_protocol=True),
    block("imap", Protocol.IMAP, starttls="on"),
    block("pop3", Protocol.POP3, starttls="only"),
    block("smtp", Protocol.SMTP, starttls="on"),
    block("asking", Protocol.IMAP),
)


def tasks(wanted: Plan) -> list[Task]:
    return [Task(one, reach(one.listen, "", "127.0.0.1")) for one in wanted.targets]


def test_both_certificates_are_seen_at_every_kind_of_listener(daemon: Proxycore) -> None:
    found = look_at(tasks(plan(SERVERS)), workers=2)
    assert {one.verdict for one in found} == {Verdict.SERVED}, found
    seen = {(one.target.server.name, one.target.name, one.kind) for one in found}
    for name in ("imaps", "proxied", "imap", "pop3", "smtp", "asking"):
        assert {(name, "", "EC"), (name, "", "RSA")} <= seen
        assert {(name, "mail.example.com", "EC"), (name, "mail.example.com", "RSA")} <= seen
    # the name leads to another block, and a certificate for any name is asked for by one of them
    assert ("other", "box.example.org", "EC") in seen
    assert ("imaps", "check.example.org", "EC") in seen
    assert "internal error" not in daemon.log()


def test_another_certificate_is_told_by_kind_and_chain(daemon: Proxycore) -> None:
    renewed = AUTHORITY.issue("mail.example.com")
    (server,) = (
        replace(SERVERS[0], front_tls=block("imaps", Protocol.IMAP, renewed, RSA).front_tls),
    )
    found = {(one.kind, one.target.name): one for one in look_at(tasks(plan((server,))), 2)}
    assert found["RSA", ""].verdict is Verdict.SERVED
    wrong = found["EC", ""]
    assert wrong.verdict is Verdict.OTHER
    assert wrong.seen == EC.certificate.fingerprint(hashes.SHA256()).hex(":").upper()
    assert wrong.words == "Another certificate is served."
    bare = Pair(EC.certificate, EC.key)
    server = replace(SERVERS[0], front_tls=block("imaps", Protocol.IMAP, bare, RSA).front_tls)
    found = {(one.kind, one.target.name): one for one in look_at(tasks(plan((server,))), 2)}
    assert found["EC", ""].words == "The certificate is right, its chain is another."


def test_what_does_not_answer_is_said_in_words(daemon: Proxycore) -> None:
    closed = replace(SERVERS[0], listens=(Listen(address="127.0.0.1", port=free_port(), ssl=True),))
    (found, *_) = look_at(tasks(plan((closed,))), 1)
    assert found.verdict is Verdict.FAILED
    assert "cannot be reached: " in found.words
    plain = replace(
        SERVERS[0], listens=(Listen(address="127.0.0.1", port=PORTS["imap"], ssl=True),)
    )
    (found, *_) = look_at(tasks(plan((plain,))), 1)
    assert found.verdict is Verdict.FAILED
    assert "handshake" in found.words


def test_a_file_of_the_node_is_seen_and_not_judged(daemon: Proxycore) -> None:
    pair = Certificate(ssl_certificate="/etc/mail.pem", ssl_certificate_key=Secret("/etc/key.pem"))
    server = replace(SERVERS[0], front_tls=FrontTls(certificates=(pair,)))
    (found,) = look_at(tasks(plan((server,))), 1)
    assert (found.verdict, found.expected) == (Verdict.UNKNOWN, "")
    assert found.seen
