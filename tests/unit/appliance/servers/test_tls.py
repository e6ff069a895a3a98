"""TLS of a server block: into the snapshot and back, and what is refused at which field."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models import ProtectedError
from django.utils import timezone

from appliance.certs import reading
from appliance.certs import services as certs
from appliance.certs.models import Certificate
from appliance.publish import draft
from appliance.servers import services
from appliance.servers.choices import TlsPolicy
from appliance.servers.models import Listener, ServerBlock, TicketKey
from proxycore.contract.snapshot import Server, Snapshot
from proxycore.contract.tls import DATA, BackTls, ConfCommand, FrontTls
from tests.support.pki import Authority, Pair

AUTHORITY = Authority("Test Authority")
KEY = "QUJD" * 20  # 60 octets: not a ticket key
TICKET_KEY = "QUJD" * 16  # 48 octets
PIN = "sha256/" + "A" * 43 + "="
DH = "-----BEGIN DH PARAMETERS-----\nMAYCAQ8CAQI=\n-----END DH PARAMETERS-----"


def store(name: str, pair: Pair) -> Certificate:
    material = reading.from_pem(pair.pem.encode(), pair.key_pem.encode(), None, timezone.now())
    return certs.save(Certificate(name=name), material)


def built() -> Snapshot:
    found = draft.build()
    assert found.snapshot is not None, found.problems
    return found.snapshot


def published(name: str) -> Server:
    return next(server for server in built().servers if server.name == name)


def test_every_setting_arrives_and_comes_back(blocks: dict[str, ServerBlock]) -> None:
    ec, rsa = (
        store(kind, AUTHORITY.issue("mail.example.com", kind=kind)) for kind in ("ecdsa", "rsa")
    )
    block = blocks["imap"]
    plain: dict[str, Any] = {
        "starttls": "only",
        "ssl_certificate_compression": True,
        "ssl_protocols": ["TLSv1.2"],
        "ssl_ciphers": "HIGH",
        "ssl_prefer_server_ciphers": True,
        "ssl_ecdh_curve": "X25519",
        "ssl_session_cache": "stored",
        "ssl_session_cache_builtin_count": 10,
        "ssl_session_cache_shared_name": "mail",
        "ssl_session_cache_shared_bytes": 40_000,
        "ssl_session_timeout_ms": 60_000,
        "ssl_session_tickets": False,
        "ssl_verify_client": "optional",
        "ssl_verify_depth": 3,
        "ssl_trusted_certificate": "/etc/trusted.pem",
        "proxy_ssl": "starttls",
        "proxy_ssl_verify_depth": 4,
        "proxy_ssl_pins": [PIN],
        "proxy_ssl_name": "backend.example.com",
        "proxy_ssl_server_name": False,
        "proxy_ssl_protocols": ["TLSv1.3"],
        "proxy_ssl_ciphers": "HIGH",
        "proxy_ssl_session_reuse": False,
    }
    for name, value in plain.items():
        setattr(block, name, value)
    block.tls_policy = TlsPolicy.CUSTOM
    block.ssl_dhparam, block.ssl_client_certificate = DH, AUTHORITY.pem
    revoked = AUTHORITY.revocation_list()
    block.ssl_crl = block.proxy_ssl_crl = revoked
    block.proxy_ssl_trusted_certificate = AUTHORITY.pem
    block.ssl_conf_command = ["Ciphersuites", "TLS_AES_128_GCM_SHA256"]
    block.proxy_ssl_conf_command = ["Groups", "X25519"]
    block.proxy_ssl_certificate = ec
    services.save_block(block)
    services.choose_certificates(block, [rsa, ec])
    TicketKey.objects.create(block=block, value=TICKET_KEY)
    listener = block.listeners.get()
    listener.ssl = True
    services.save_listener(listener)

    server = published("imap")
    front, back = server.front_tls, server.back_tls
    assert server.listens[0].ssl
    for name, value in plain.items():
        arrived = getattr(front if hasattr(front, name) else back, name)
        assert arrived == (tuple(value) if isinstance(value, list) else value), name
    assert [one.ssl_certificate for one in front.certificates] == [
        DATA + rsa.pem,
        DATA + ec.pem,
    ]
    assert front.certificates[1].ssl_certificate_key.reveal() == DATA + ec.private_key.reveal()
    assert front.ssl_client_certificate == f"{DATA}{AUTHORITY.pem}"
    assert front.ssl_dhparam == f"{DATA}{DH}\n"
    assert front.ssl_crl == back.proxy_ssl_crl == f"{DATA}{revoked}"
    assert [key.reveal() for key in front.ssl_session_ticket_key] == [DATA + TICKET_KEY]
    assert front.ssl_conf_command == (
        ConfCommand(name="Ciphersuites", value="TLS_AES_128_GCM_SHA256"),
    )
    assert back.proxy_ssl_certificate == DATA + ec.pem
    assert back.proxy_ssl_certificate_key.reveal() == DATA + ec.private_key.reveal()

    before = built()
    services.delete_blocks(list(ServerBlock.objects.all()))
    services.load_servers(before)
    assert built() == before


def test_a_first_start_speaks_no_tls_and_has_the_contracts_defaults(
    blocks: dict[str, ServerBlock],
) -> None:
    assert (published("imap").front_tls, published("imap").back_tls) == (FrontTls(), BackTls())


def test_a_policy_decides_and_is_known_again(blocks: dict[str, ServerBlock]) -> None:
    block = blocks["imap"]
    block.tls_policy, block.ssl_ciphers = TlsPolicy.MODERN, "HIGH"
    services.save_block(block)
    front = published("imap").front_tls
    assert (front.ssl_protocols, front.ssl_ciphers) == (("TLSv1.3",), FrontTls().ssl_ciphers)
    services.load_servers(built())
    assert ServerBlock.objects.get(name="imap").tls_policy == TlsPolicy.MODERN


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"ssl_ciphers": "NOBODY-HAS-THIS"}, "ssl_ciphers", "No cipher fits"),
        ({"proxy_ssl_ciphers": ""}, "proxy_ssl_ciphers", ""),
        (
            {"ssl_protocols": ["TLSv9"], "tls_policy": "custom"},
            "ssl_protocols",
            "“TLSv9” must be one of",
        ),
        ({"ssl_client_certificate": "ca.pem"}, "ssl_client_certificate", "absolute path"),
        (
            {"proxy_ssl_trusted_certificate": "-----BEGIN X-----"},
            "proxy_ssl_trusted_certificate",
            "no certificate in it",
        ),
        (
            {
                "proxy_ssl_trusted_certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n"
                "-----END CERTIFICATE-----"
            },
            "proxy_ssl_trusted_certificate",
            "cannot be read",
        ),
        ({"ssl_crl": "-----BEGIN X-----"}, "ssl_crl", "cannot be read"),
        ({"ssl_dhparam": "-----BEGIN X-----"}, "ssl_dhparam", "no DH parameters"),
        ({"proxy_ssl_pins": ["sha256/x"]}, "proxy_ssl_pins", "“sha256/x” has a form"),
        ({"proxy_ssl_pins": [PIN], "proxy_ssl_verify": False}, "proxy_ssl_pins", "Without"),
        ({"ssl_verify_client": "on"}, "ssl_client_certificate", "say whose"),
        ({"ssl_session_cache": "stored"}, "ssl_session_cache", "Give a size"),
        ({"ssl_session_timeout_ms": 1}, "ssl_session_timeout_ms", "at least 1000"),
        ({"ssl_conf_command": ["Two words", "x"]}, "ssl_conf_command", "not allowed"),
    ],
)
def test_objections_are_at_the_field(
    db: None, changed: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        services.save_block(ServerBlock(**{"name": "imap", "protocol": "imap", **changed}))
    assert words in " ".join(refused.value.message_dict[field])


@pytest.mark.parametrize("value", ["no base64!", KEY])
def test_a_ticket_key_has_the_right_size(blocks: dict[str, ServerBlock], value: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TicketKey(block=blocks["imap"], value=value).full_clean()
    assert "value" in refused.value.message_dict


def test_a_certificate_in_use_cannot_be_deleted(blocks: dict[str, ServerBlock]) -> None:
    made = certs.make_self_signed("mail", ["mail.example.com"])
    services.choose_certificates(blocks["imap"], [made])
    with pytest.raises(ProtectedError):
        certs.delete([made])
    services.choose_certificates(blocks["imap"], [])
    certs.delete([made])


def test_tls_without_a_certificate_stands_in_the_way_of_publishing(
    blocks: dict[str, ServerBlock],
) -> None:
    blocks["imap"].starttls = "on"
    services.save_block(blocks["imap"])
    (problem,) = draft.build().problems
    assert str(problem) == (
        'server block "imap" front_tls.certificates: no "ssl_certificate" is defined'
    )


def test_blocks_that_speak_tls_share_a_socket(blocks: dict[str, ServerBlock]) -> None:
    taken = blocks["imap"].listeners.get()
    other = services.save_block(ServerBlock(name="b", protocol="imap", server_names=["b.test"]))
    with pytest.raises(ValidationError, match="listens on"):
        services.save_listener(Listener(block=other, address=taken.address, port=taken.port))
    made = certs.make_self_signed("mail", ["mail.example.com"])
    for block in (blocks["imap"], other):
        block.starttls = "on"
        services.save_block(block)
        services.choose_certificates(block, [made])
    services.save_listener(Listener(block=other, address=taken.address, port=taken.port))
    assert published("b").listens == published("imap").listens
    with pytest.raises(ValidationError, match="Server block “b” listens on"):
        services.save_listener(Listener(block=other, address=taken.address, port=taken.port))


def test_loading_a_revision_brings_the_certificate_of_then_back(
    blocks: dict[str, ServerBlock],
) -> None:
    old, new = (AUTHORITY.issue("mail.example.com", days=days) for days in (30, 90))
    stored = store("mail", old)
    services.choose_certificates(blocks["imap"], [stored])
    before = built()
    material = reading.from_pem(new.pem.encode(), new.key_pem.encode(), None, timezone.now())
    certs.save(stored, material)
    assert published("imap").front_tls.certificates[0].ssl_certificate == DATA + new.pem
    services.load_servers(before)
    assert built() == before
    assert Certificate.objects.get().versions.count() == 3
